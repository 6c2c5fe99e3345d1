#!/usr/bin/env python3
"""Make squashfs layers of the size that an Ubuntu server ISO has, of the files of this host.

    make-layers.py FOLDER MEGABYTES...    makes FOLDER/0.squashfs, … of so much content each, lowest first

Each upper layer has files of its own, replaces a hundredth of the names below it, and removes as many, as whiteouts
that share one inode.
"""
import os
import stat
import subprocess
import sys
import tarfile

SOURCE = '/usr'


def files():
    """Regular files and links of the host, in an order that mixes large and small ones."""
    found = []
    for folder, _, names in os.walk(SOURCE):
        for name in names:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode) or stat.S_ISREG(info.st_mode) and info.st_size < 30_000_000:
                found.append((hash_of(path), path, info.st_size))
    return [(path, size) for _, path, size in sorted(found)]


def hash_of(text):
    value = 5381
    for byte in os.fsencode(text):
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value * 2654435761 & 0xFFFFFFFF


def make(path, names, removed):
    packer = subprocess.Popen(['tar2sqfs', '--quiet', '--compressor', 'xz', path], stdin=subprocess.PIPE)
    with tarfile.open(fileobj=packer.stdin, mode='w|', format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            tar.add(name, recursive=False)
        first = None
        for name in removed:
            entry = tarfile.TarInfo(name.lstrip('/'))
            entry.type, entry.mode = (tarfile.LNKTYPE, 0) if first else (tarfile.CHRTYPE, 0)
            entry.linkname = first or ''
            first = first or entry.name
            tar.addfile(entry)
    packer.stdin.close()
    if packer.wait():
        sys.exit(f'tar2sqfs failed for {path}')


def main(folder, sizes):
    waiting, below = iter(files()), []
    for number, size in enumerate(sizes):
        names, left = [], size * 1_000_000
        while left > 0:
            name, length = next(waiting, (None, 0))
            if name is None:
                sys.exit(f'{SOURCE} of this host has less than {sum(sizes)} MB')
            names.append(name)
            left -= length
        step = 100
        make(os.path.join(folder, f'{number}.squashfs'), names + below[::step], below[step // 2 :: step])
        below += names


if __name__ == '__main__':
    main(sys.argv[1], [int(word) for word in sys.argv[2:]])
