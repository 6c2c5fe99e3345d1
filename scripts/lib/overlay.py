#!/usr/bin/env python3
"""Apply the overlay part of one layer to a tree, and pass the rest on for tar to extract there.

    sqfs2tar --root-becomes . LAYER | overlay.py TREE | tar --extract --directory TREE

What the layer hides is removed from TREE before any entry that comes after it is passed on, so tar, which can only be
behind, always finds the place free. Exits with 1 and the reason when a layer cannot be merged.
"""
import os
import shutil
import stat
import sys
import tarfile

XATTR = 'SCHILY.xattr.'
OVERLAY = XATTR + 'trusted.overlay.'
# An entry whose content lives elsewhere below, and the whiteout of nested overlays. rsync into an overlay makes none.
UNSUPPORTED = (OVERLAY + 'redirect', OVERLAY + 'metacopy', OVERLAY + 'whiteout')


def refuse(message):
    sys.exit(message)


def checked_path(tree, name, seen):
    parts = [part for part in name.split('/') if part not in ('', '.')]
    key = '/'.join(parts)
    if '..' in parts or key in seen:
        refuse(f'a layer has the entry {name!r}, which leads out of the tree or is there twice')
    seen.add(key)
    return os.path.join(tree, *parts)


def mode_of(path):
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0


def remove(path):
    if stat.S_ISDIR(mode_of(path)):
        shutil.rmtree(path)
    elif mode_of(path):
        os.unlink(path)


def prepare_directory(path, opaque):
    """The directory PATH, empty if opaque, without the extended attributes of the lower one."""
    if not stat.S_ISDIR(mode_of(path)):
        remove(path)
        os.mkdir(path)
    if opaque:
        for child in os.listdir(path):
            remove(os.path.join(path, child))
    for name in os.listxattr(path):
        if name.startswith(('user.', 'security.')):
            os.removexattr(path, name)


def main(tree):
    seen = set()
    layer = tarfile.open(fileobj=sys.stdin.buffer, mode='r|', bufsize=1 << 20, encoding='utf-8')
    rest = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', bufsize=1 << 20, format=tarfile.PAX_FORMAT, encoding='utf-8')
    for entry in layer:
        path = checked_path(tree, entry.name, seen)
        if entry.isblk() or entry.ischr():
            if entry.ischr() and (entry.devmajor, entry.devminor) == (0, 0):
                remove(path)
            continue
        for name in UNSUPPORTED:
            if name in entry.pax_headers:
                refuse(f'the entry {entry.name!r} has the attribute {name.removeprefix(XATTR)}, which cannot be merged')
        if entry.isdir():
            prepare_directory(path, entry.pax_headers.get(OVERLAY + 'opaque') == 'y')
        elif stat.S_ISDIR(mode_of(path)):
            shutil.rmtree(path)
        entry.pax_headers = {key: value for key, value in entry.pax_headers.items() if not key.startswith(XATTR + 'trusted.')}
        rest.addfile(entry, layer.extractfile(entry) if entry.isreg() else None)
        layer.members.clear()  # tarfile remembers every entry otherwise
        rest.members.clear()
    rest.close()


if __name__ == '__main__':
    try:
        main(sys.argv[1])
    except tarfile.TarError as error:
        refuse(f'a layer cannot be read: {error}')
