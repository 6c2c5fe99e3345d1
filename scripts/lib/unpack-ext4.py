#!/usr/bin/env python3
"""Unpack the ext4 file system in a part of a file into an empty folder, and compare that part with its sha256.

    unpack-ext4.py FILE FOLDER SHA256 KEY_FILE <PIECES

PIECES is JSON: a list of [offset or null for zeros, length]. KEY_FILE has the volume key of aes-xts-plain64; an empty
word where it is not encrypted. An empty SHA256 is not compared.
Exits with 3 where the sha256 is another one, with 4 where the file system is damaged, with 1 for any other reason.
"""
import errno
import json
import os
import stat
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ext4 import BLOCK, LOST_AND_FOUND, ROOT, Damaged, Ext4, need  # noqa: E402
from window import Window  # noqa: E402

ALTERED, DAMAGED = 3, 4
# A file costs about as much as this many bytes of content.
FILE_COST = 100_000
PIECE = 256  # blocks
# What fails for reasons of the host, and not of what was read.
HOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def scan(fs):
    """Make every folder, and find what is in them: the files with the names of each, and the folders."""
    folders, files, seen = [(b'.', fs.inode(ROOT))], {}, {ROOT}
    for path, node in folders:
        for name, number in fs.folder(node):
            if path == b'.' and name == b'lost+found' and number == LOST_AND_FOUND:
                continue  # mkfs makes it; it is not of the tree.
            child = path + b'/' + name
            if number in files:
                files[number][1].append(child)
                continue
            inode = fs.inode(number)
            if stat.S_ISDIR(inode.mode):
                need(number not in seen, f'the folder {number} is reached by two ways')
                seen.add(number)
                named(lambda _fs, _node, new: os.mkdir(new, 0o700), fs, inode, child)
                folders.append((child, inode))
            else:
                files[number] = (inode, [child])
    return folders, list(files.values())


def finish(fs, node, path):
    """Owner, mode, attributes and times, in the order in which none takes another away. PATH is a path or, for a
    file, what is open."""
    link = stat.S_ISLNK(node.mode)
    follow = {} if isinstance(path, int) else {'follow_symlinks': False}
    os.chown(path, node.uid, node.gid, **follow)
    if not link:
        os.chmod(path, stat.S_IMODE(node.mode))
    for name, value in fs.attributes(node).items():
        os.setxattr(path, name, value, **follow)
    os.utime(path, ns=(node.atime, node.mtime), **follow)


def make_file(fs, node, path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        end = 0
        for first, start, count in fs.extents(node):
            for done in range(0, count, PIECE):
                part = min(PIECE, count - done)
                at = (first + done) * BLOCK
                need(at < node.size, f'inode {node.number} is longer than its size')
                data = fs.span(start + done, part)
                end = min(at + part * BLOCK, node.size)
                write(fd, memoryview(data)[:end - at], at)
        if end < node.size:
            os.ftruncate(fd, node.size)
        finish(fs, node, fd)
    finally:
        os.close(fd)


def write(fd, data, at):
    while data:
        done = os.pwrite(fd, data, at)
        data, at = data[done:], at + done


def named(work, fs, node, path):
    """Work on a path; what the kernel refuses to make is told with its name."""
    try:
        work(fs, node, path)
    except OSError as error:
        if error.errno in HOST:
            raise
        raise Damaged(f'{os.fsdecode(path)!r} cannot be made as it is there: {error.strerror}') from error


def make(fs, node, path):
    kind = stat.S_IFMT(node.mode)
    if kind == stat.S_IFREG:
        return make_file(fs, node, path)
    if kind == stat.S_IFLNK:
        os.symlink(fs.link(node), path)
    elif kind in (stat.S_IFIFO, stat.S_IFSOCK):
        os.mknod(path, kind | 0o600)
    else:
        raise Damaged(f'{os.fsdecode(path)} is a device, or nothing that is known')
    return finish(fs, node, path)


def share(files, count):
    """Deal them out, so that each process has as much to do; the order on the disk stays."""
    shares, loads = [[] for _ in range(count)], [0] * count
    for node, paths in sorted(files, key=lambda file: -file[0].size):
        least = loads.index(min(loads))
        shares[least].append((node, paths))
        loads[least] += node.size + FILE_COST
    return [sorted(part, key=lambda file: file[0].number) for part in shares]


def run(work):
    """A process of its own; its exit status says how it went."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os._exit(attempt(work))
    finally:
        os._exit(1)


def attempt(work):
    try:
        return work() or 0
    except (Damaged, struct.error) as error:
        print(error, file=sys.stderr, flush=True)
        return DAMAGED
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


def main(path, folder, sha256, key_file):
    key = None
    if key_file:
        with open(key_file, 'rb') as file:
            key = file.read()
    window = Window(path, json.load(sys.stdin), key)
    os.chdir(folder)

    def compare():
        if window.sha256() == sha256:
            return 0
        print('it has another sha256', file=sys.stderr, flush=True)
        return ALTERED

    def unpack(fs, files):
        for node, paths in files:
            named(make, fs, node, paths[0])

    # What is unpacked before it is known to be unaltered is thrown away if it is not.
    pids = [run(compare)] if sha256 else []
    scanned = []

    def begin():
        fs = Ext4(window.read, window.size)
        folders, files = scan(fs)
        scanned.extend([fs, folders, files])

    status = attempt(begin)
    if not status:
        fs, folders, files = scanned
        pids += [run(lambda part=part: unpack(fs, part)) for part in share(files, len(os.sched_getaffinity(0)))]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if ALTERED in statuses:
        return ALTERED
    status = status or next(filter(None, statuses), 0)
    return status or attempt(lambda: end(*scanned))


def end(fs, folders, files):
    """Further names of files, then the folders: the deepest first, for whatever is made in one changes its time."""
    for _, (first, *others) in files:
        for other in others:
            os.link(first, other, follow_symlinks=False)
    for path, node in reversed(folders):
        named(finish, fs, node, path)


if __name__ == '__main__':
    sys.exit(abs(main(*sys.argv[1:])))
