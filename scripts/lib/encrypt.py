#!/usr/bin/env python3
"""Encrypt a file as dm-crypt would with aes-xts-plain64 and sectors of 4096 bytes: encrypt.py FROM TO PIECES KEY_FILE.

It is written to PIECES of the file TO: JSON, a list of [offset, length]. KEY_FILE has the volume key. Prints the sha256
of what is written. One process for each core encrypts every so-manieth stripe; this one follows them with the hash.
"""
import ctypes
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from window import SECTOR, Window, Xts  # noqa: E402

STRIPE = 2048 * SECTOR


class Target:
    """Pieces of a file, [offset, length], behind one another."""

    def __init__(self, path, pieces):
        self._fd = os.open(path, os.O_RDWR)
        self._pieces = pieces

    def _parts(self, at, end):
        start = 0
        for offset, length in self._pieces:
            first, last = max(at, start), min(end, start + length)
            if first < last:
                yield first - at, offset + first - start, last - first
            start += length

    def write(self, at, data):
        for begin, offset, length in self._parts(at, at + len(data)):
            part = data[begin:begin + length]
            while part:
                done = os.pwrite(self._fd, part, offset)
                part, offset = part[done:], offset + done

    def update(self, hash_, at, end, buffer):
        for _, offset, length in self._parts(at, end):
            while length:
                done = os.preadv(self._fd, [buffer[:length]], offset)
                if not done:
                    raise OSError('what was written is not there')
                hash_.update(buffer[:done])
                offset, length = offset + done, length - done


def encrypt(window, key, target, stripes, tell):
    xts = Xts(key, 'Encrypt')
    buffer = bytearray(STRIPE)
    address, view = ctypes.addressof(ctypes.c_char.from_buffer(buffer)), memoryview(buffer)
    for at in stripes:
        length = min(STRIPE, window.size - at)
        window.encrypt(at, length, xts, address)
        target.write(at, view[:length])
        os.write(tell, b'.')


def in_child(work, *arguments):
    """Run a function in a process of its own; it gets a pipe, and we its other end."""
    heard, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, heard
    try:
        os.close(heard)
        work(*arguments, tell)
        os._exit(0)
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def main(source, target_file, pieces_file, key_file):
    size = os.stat(source).st_size
    if size == 0 or size % SECTOR:
        sys.exit(f'{size} bytes are no whole number of sectors')
    with open(key_file, 'rb') as file:
        key = file.read()
    with open(pieces_file, encoding='ascii') as file:
        pieces = json.load(file)
    if sum(length for _, length in pieces) != size:
        sys.exit(f'{target_file} has no room for {size} bytes')
    window, target = Window(source, [(0, size)]), Target(target_file, pieces)
    count = len(os.sched_getaffinity(0))
    stripes = range(0, size, STRIPE)
    children = [in_child(encrypt, window, key, target, stripes[first::count]) for first in range(min(count, len(stripes)))]
    hash_, buffer = hashlib.sha256(), memoryview(bytearray(STRIPE))
    for index, at in enumerate(stripes):
        if not os.read(children[index % count][1], 1):
            break  # It ended before its time, and says why by itself.
        target.update(hash_, at, min(at + STRIPE, size), buffer)
    statuses = [os.waitpid(pid, 0)[1] for pid, _ in children]
    if any(statuses):
        sys.exit(1)
    print(hash_.hexdigest())


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f'{error.filename or sys.argv[2]}: {error.strerror or error}')
