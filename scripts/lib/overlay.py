#!/usr/bin/env python3
"""Merge squashfs layers into one tree, as overlayfs would show them.

    overlay.py TREE LAYER...    layers lowest first; TREE must not exist

unsquashfs unpacks each layer into a folder beside TREE, on every processor. What it cannot do is done here from the
layer's own metadata: whiteouts and opaque directories take effect, extended attributes are set, and whatever was not
unpacked as the layer has it is refused. Upper layers then cost renames, not copies.

Exits with 4 where a layer is the reason, with 1 for anything else; the reason is on stderr.
"""
import os
import shutil
import stat
import subprocess
import sys

from squashfs import Damaged, Squashfs

BAD_LAYER = 4
# What overlayfs keeps for itself: under trusted. where it was mounted by root, under user. with -o userxattr.
ROOT_PREFIX, USER_PREFIX = b'trusted.overlay.', b'user.overlay.'
# Of an entry whose content or children are elsewhere. Ubuntu's layers are filled by rsync, which makes none.
UNSUPPORTED = (b'redirect', b'metacopy')
# An attribute of security. other than this one belongs to the policy or the keys of one machine.
CAPABILITY = b'security.capability'


def shown(path):
    return ascii(os.fsdecode(path))


class Layer:
    """A layer and what its entries mean; `prefix` is set once all layers are known."""

    def __init__(self, file):
        self.file, self.prefix = file, ROOT_PREFIX
        try:
            self.root = Squashfs(file).root
        except Damaged as error:
            raise Damaged(f'the layer {file!r} cannot be unpacked: {error}') from error

    def refuse(self, message):
        raise Damaged(f'the layer {self.file!r} cannot be unpacked: {message}')

    def entries(self):
        """Path, entry and directory of all entries but the root, each directory before its children."""
        waiting = [(b'.', self.root)]
        while waiting:
            path, directory = waiting.pop()
            for name, entry in directory.children.items():
                child = path + b'/' + name
                yield child, entry, directory
                if entry.children is not None:
                    waiting.append((child, entry))

    def uses(self, prefix):
        return any(name.startswith(prefix) for _, entry, _ in self.entries() for name in entry.xattrs) or any(
            name.startswith(prefix) for name in self.root.xattrs
        )

    def check(self):
        for path, entry, directory in self.entries():
            for name in UNSUPPORTED:
                if self.prefix + name in entry.xattrs:
                    attribute = os.fsdecode(self.prefix + name)
                    self.refuse(f'the entry {shown(path)} has the attribute {attribute}, which cannot be merged')
            if self.prefix + b'whiteout' in entry.xattrs and not self.is_whiteout(entry, directory):
                self.refuse(f'the entry {shown(path)} is marked as a whiteout where overlayfs allows none')

    def opaque(self, entry):
        return entry.xattrs.get(self.prefix + b'opaque')

    def is_whiteout(self, entry, directory):
        """A character device 0:0, or an empty file that is marked as one in a directory that is marked for it."""
        if stat.S_ISCHR(entry.mode):
            return entry.rdev == 0
        marked = self.prefix + b'whiteout' in entry.xattrs and self.opaque(directory) == b'x'
        return marked and stat.S_ISREG(entry.mode) and entry.size == 0

    def left_out(self, entry, directory):
        return stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode) or self.is_whiteout(entry, directory)

    def kept_xattrs(self, entry):
        """What the mounted overlay shows, without what only one machine or only root can use."""
        escaped = self.prefix + b'overlay.'
        for name, value in entry.xattrs.items():
            if name.startswith(escaped):  # of an overlay within the overlay: one prefix is taken off
                name = self.prefix + name.removeprefix(escaped)
            elif name.startswith(self.prefix):
                continue
            if name.startswith(b'user.') or name == CAPABILITY:
                yield name, value


def unpack(layer, folder):
    """unsquashfs into FOLDER, without device nodes and whiteouts: where it must not make one, its hard links are fatal.

    It ends with 2 if single entries failed; `finish` compares what is there with the layer.
    """
    nodes = [b'/' + path[2:] for path, entry, directory in layer.entries() if layer.left_out(entry, directory)]
    odd = [node for node in nodes if b'\\' in node or b'\n' in node or node[-1:].isspace()]  # not in a line of a file
    with open(folder + b'.nodes', 'wb') as file:
        file.writelines(node + b'\n' for node in set(nodes).difference(odd))
    # Root must not get device nodes either.
    command = ['setpriv', '--bounding-set=-mknod,-sys_admin', '--', 'unsquashfs', '-quiet', '-no-progress', '-no-xattrs',
               '-no-wildcards', '-exclude-file', folder + b'.nodes', '-dest', folder]  # fmt: skip
    command += ['-excludes', layer.file, *odd] if odd else [layer.file]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    os.unlink(folder + b'.nodes')
    if done.returncode not in (0, 2):
        lines = os.fsdecode(done.stderr).strip().splitlines()
        layer.refuse(lines[-1] if lines else f'unsquashfs ended with {done.returncode}')


def finish(layer, folder):
    """Check that an unpacked layer is what its metadata says, and add what unsquashfs left out."""
    names, changed = {}, []
    dress(layer, b'.', folder, layer.root)
    for path, entry, directory in layer.entries():
        place = folder + path[1:]
        if layer.left_out(entry, directory):
            if os.path.lexists(place):
                layer.refuse(f'the device node {shown(path)} was unpacked')
            continue
        if stat.S_ISSOCK(entry.mode) and not os.path.lexists(place):  # unsquashfs before 4.5 makes none
            supply_socket(entry, place)
            changed.append((os.path.dirname(place), directory))
        info = dress(layer, path, place, entry)
        if not stat.S_ISDIR(entry.mode) and names.setdefault(entry.inode, info.st_ino) != info.st_ino:
            layer.refuse(f'the entry {shown(path)} was not unpacked as a hard link')
    for place, directory in changed:
        os.utime(place, (directory.mtime, directory.mtime))


def supply_socket(entry, place):
    os.mknod(place, entry.mode)
    os.chown(place, entry.uid, entry.gid)
    os.chmod(place, stat.S_IMODE(entry.mode))
    os.utime(place, (entry.mtime, entry.mtime))


def dress(layer, path, place, entry):
    """Compare an entry on the disk with the layer, and set its extended attributes."""
    try:
        info = os.lstat(place)
    except OSError as error:
        layer.refuse(f'the entry {shown(path)} was not unpacked: {error.strerror}')
    if (info.st_uid, info.st_gid) != (entry.uid, entry.gid):
        layer.refuse(f'the entry {shown(path)} cannot be given to {entry.uid}:{entry.gid}, only to {info.st_uid}:{info.st_gid}')
    link = stat.S_ISLNK(entry.mode)
    size = info.st_size if stat.S_ISREG(entry.mode) or link else 0
    mode = info.st_mode if not link else entry.mode if stat.S_ISLNK(info.st_mode) else 0
    if (mode, size) != (entry.mode, entry.size):
        layer.refuse(f'the entry {shown(path)} was not unpacked as the layer has it: {mode:o}, {size} bytes')
    set_xattrs(layer, path, place, entry)
    if info.st_mtime_ns != entry.mtime * 10**9:
        os.utime(place, (entry.mtime, entry.mtime), follow_symlinks=False)
    return info


def set_xattrs(layer, path, place, entry):
    for name, value in layer.kept_xattrs(entry):
        try:
            os.setxattr(place, name, value, follow_symlinks=False)
        except OSError as error:
            layer.refuse(f'the entry {shown(path)} cannot have the attribute {os.fsdecode(name)}: {error.strerror}')


def is_directory(path):
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def remove(path):
    if is_directory(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def merge(layer, path, directory, source, target):
    """Put the directory SOURCE of an upper layer over TARGET, which is a directory, never a link to one."""
    for name, entry in directory.children.items():
        here, there = source + b'/' + name, target + b'/' + name
        if layer.left_out(entry, directory):
            remove(there)
            continue
        if stat.S_ISDIR(entry.mode):
            if is_directory(there) and layer.opaque(entry) != b'y':
                merge(layer, path + b'/' + name, entry, here, there)
                continue
            remove(there)
        elif is_directory(there):
            remove(there)
        os.rename(here, there)
    # Of a merged directory only the names come from below.
    for name in os.listxattr(target):
        if name.startswith(('user.', 'security.')):
            os.removexattr(target, name)
    os.chown(target, directory.uid, directory.gid)
    os.chmod(target, stat.S_IMODE(directory.mode))
    set_xattrs(layer, path, target, directory)
    os.utime(target, (directory.mtime, directory.mtime))


def main(tree, files):
    layers = [Layer(file) for file in files]
    # An ordinary user's containers have user.overlay. attributes, too, as data in a layer. So they count only where no
    # upper layer has the attributes of root's overlay.
    if not any(layer.uses(ROOT_PREFIX) for layer in layers[1:]) and any(layer.uses(USER_PREFIX) for layer in layers[1:]):
        for layer in layers:
            layer.prefix = USER_PREFIX
    for layer in layers:
        layer.check()
    tree = os.fsencode(tree)
    folder = tree + b'.layer'
    for layer in layers:
        print(f'layer {layer.file}', flush=True)
        unpack(layer, folder)
        finish(layer, folder)
        if layer is layers[0]:
            os.rename(folder, tree)
        else:
            merge(layer, b'.', layer.root, folder, tree)
            shutil.rmtree(folder)


if __name__ == '__main__':
    try:
        main(sys.argv[1], sys.argv[2:])
    except Damaged as reason:
        print(reason, file=sys.stderr)
        sys.exit(BAD_LAYER)
    except OSError as reason:
        print(f'{reason.strerror}: {shown(reason.filename or b"")}', file=sys.stderr)
        sys.exit(1)
