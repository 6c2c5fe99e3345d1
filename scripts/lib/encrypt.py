#!/usr/bin/env python3
"""Encrypt a file as dm-crypt would with aes-xts-plain64 and sectors of 4096 bytes: encrypt.py FROM TO KEY_FILE.

KEY_FILE has the volume key. TO is an empty file. One process for each core.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from window import SECTOR, Window, Xts  # noqa: E402

PIECE = 256 * SECTOR


def encrypt(window, key, fd, first, end):
    xts = Xts(key, 'Encrypt')
    for at in range(first, end, PIECE):
        data = memoryview(window.encrypted(at, min(PIECE, end - at), xts))
        while data:
            done = os.pwrite(fd, data, at)
            data, at = data[done:], at + done


def main(source, target, key_file):
    size = os.stat(source).st_size
    if size == 0 or size % SECTOR:
        sys.exit(f'{size} bytes are no whole number of sectors')
    with open(key_file, 'rb') as file:
        key = file.read()
    window = Window(source, [(0, size)])
    fd = os.open(target, os.O_WRONLY)
    os.ftruncate(fd, size)
    count = len(os.sched_getaffinity(0))
    share = -(-size // SECTOR // count) * SECTOR
    pids = []
    for first in range(0, size, share):
        pid = os.fork()
        if not pid:
            try:
                encrypt(window, key, fd, first, min(first + share, size))
                os._exit(0)
            except OSError as error:
                print(error, file=sys.stderr, flush=True)
            finally:
                os._exit(1)
        pids.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    sys.exit(1 if any(statuses) else 0)


if __name__ == '__main__':
    main(*sys.argv[1:])
