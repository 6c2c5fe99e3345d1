#!/usr/bin/env python3
"""Write a directory tree as the tar stream of one squashfs layer, or turn a mounted overlay into it.

    layer.py --tree UPPER [--lower LOWER] --epoch SECONDS > layer.tar
    layer.py --tree UPPER --lower LOWER --epoch SECONDS --onto MOUNTED

Without --lower the stream holds the whole tree. With it, the stream holds what an overlayfs upper directory would
hold after LOWER was turned into UPPER (file times ignored, as livecd-rootfs ignores them): changed entries and their
parent directories, a character device 0:0 for what was removed, trusted.overlay.opaque=y on a directory of which
nothing below may show through, and the marks that overlayfs leaves for itself: all whiteouts are names of one inode,
a copy of a lower entry has trusted.overlay.origin, and a directory with copies in it trusted.overlay.impure. None of
that can be created on disk without privilege, so it exists in the stream only.

With --onto the same changes are made in MOUNTED, an overlay over LOWER, and the kernel leaves its own marks.
"""
import argparse
import filecmp
import os
import shutil
import stat
import struct
import sys
import tarfile

LEFT_OUT = {b'etc/fstab'}  # livecd-rootfs leaves it out too
OPAQUE = {'trusted.overlay.opaque': b'y'}
IMPURE = {'trusted.overlay.impure': b'y'}


def origin(info):
    """What overlayfs writes on a copy: struct ovl_fh of Linux, with a file handle of ext4 and no UUID."""
    handle = struct.pack('<II', info.st_ino & 0xFFFFFFFF, 1)
    return {'trusted.overlay.origin': struct.pack('<BBBBB16s', 0, 0xFB, 21 + len(handle), 0, 1, b'') + handle}


def read_xattrs(path):
    """Extended attributes that squashfs can hold; it has no POSIX ACLs."""
    names = [name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith('system.')]
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def same(lower, upper, lower_stat, upper_stat):
    """Whether an entry is unchanged; directories are compared without their children."""
    if any(getattr(lower_stat, field) != getattr(upper_stat, field) for field in ('st_mode', 'st_uid', 'st_gid')):
        return False
    if read_xattrs(lower) != read_xattrs(upper):
        return False
    if stat.S_ISLNK(upper_stat.st_mode):
        return os.readlink(lower) == os.readlink(upper)
    if stat.S_ISREG(upper_stat.st_mode):
        return lower_stat.st_size == upper_stat.st_size and filecmp.cmp(lower, upper, shallow=False)
    return True


class Layer:
    def __init__(self, tree, lower, epoch, stream):
        self.tree, self.lower, self.epoch = os.fsencode(tree), lower and os.fsencode(lower), epoch
        self.tar = tarfile.open(fileobj=stream, mode='w|', format=tarfile.PAX_FORMAT, encoding='utf-8')
        self.first_name = {}  # inode → the name it was written under
        self.first_whiteout = None
        self.known = {}  # what differs() has found

    def write(self):
        self.directory(b'', self.lower is not None)
        self.tar.close()

    def directory(self, name, merge):
        """Write directory NAME; merge says whether a lower directory shows through it. Returns nothing."""
        path = os.path.join(self.tree, name)
        lower_path = os.path.join(self.lower, name) if merge else None
        here, below = set(os.listdir(path)), set(os.listdir(lower_path)) if merge else set()
        opaque = bool(merge and name and below and not here & below)
        marks = OPAQUE if opaque else {}
        if merge and not opaque:
            marks = {**(origin(os.lstat(lower_path)) if name else {}), **(IMPURE if self.impure(name, here & below) else {})}
        self.entry(name, marks)
        for child in sorted(here | (set() if opaque else below)):
            child_name = os.path.join(name, child)
            if child_name in LEFT_OUT:
                continue
            if child not in here:
                self.whiteout(child_name)
            else:
                self.child(child_name, child in below and not opaque)

    def child(self, name, in_lower):
        path = os.path.join(self.tree, name)
        info = os.lstat(path)
        lower_path = os.path.join(self.lower, name) if in_lower else None
        lower_info = os.lstat(lower_path) if in_lower else None
        if not stat.S_ISDIR(info.st_mode):
            if not (in_lower and same(lower_path, path, lower_info, info)) or info.st_ino in self.changed_links():
                self.entry(name, origin(lower_info) if in_lower and self.is_copy(name) else {})
        elif in_lower and stat.S_ISDIR(lower_info.st_mode):
            if self.differs(name):
                self.directory(name, True)
        elif in_lower:  # a directory over something else: overlayfs marks it, since a whiteout was there first
            self.tree_over(name)
        else:
            self.directory(name, False)

    def is_copy(self, name):
        """Whether an entry that is in this layer is a copy of the lower one, changed or not, and not a new one."""
        path, lower_path = os.path.join(self.tree, name), os.path.join(self.lower, name)
        if not os.path.lexists(lower_path):
            return False
        info, lower_info = os.lstat(path), os.lstat(lower_path)
        if stat.S_IFMT(info.st_mode) != stat.S_IFMT(lower_info.st_mode):
            return False
        if stat.S_ISDIR(info.st_mode):
            return self.differs(name)
        # Of a file with several names, one is copied and the others stay, so overlayfs does not call it the same.
        if lower_info.st_nlink > 1 or not stat.S_ISREG(info.st_mode):
            return False
        return not same(lower_path, path, lower_info, info) or info.st_ino in self.changed_links()

    def impure(self, name, children):
        return any(self.is_copy(os.path.join(name, child)) for child in children)

    def tree_over(self, name):
        self.entry(name, OPAQUE)
        for child in sorted(os.listdir(os.path.join(self.tree, name))):
            self.child(os.path.join(name, child), False)

    def differs(self, name):
        """Whether anything at or below directory NAME has changed."""
        if name not in self.known:
            self.known[name] = self.find_difference(name)
        return self.known[name]

    def find_difference(self, name):
        path, lower_path = os.path.join(self.tree, name), os.path.join(self.lower, name)
        if not same(lower_path, path, os.lstat(lower_path), os.lstat(path)):
            return True
        children = os.listdir(path)
        if set(children) != set(os.listdir(lower_path)):
            return True
        for child in children:
            child_name = os.path.join(name, child)
            upper_child, lower_child = os.path.join(self.tree, child_name), os.path.join(self.lower, child_name)
            info, lower_info = os.lstat(upper_child), os.lstat(lower_child)
            if stat.S_ISDIR(info.st_mode) and stat.S_ISDIR(lower_info.st_mode):
                if self.differs(child_name):
                    return True
            elif info.st_ino in self.changed_links() or not same(lower_child, upper_child, lower_info, info):
                return True
        return False

    def changed_links(self):
        """Inodes with several names of which at least one is new or changed: all their names must be in the layer."""
        if not hasattr(self, '_changed_links'):
            self._changed_links = set()
            for folder, _, files in os.walk(self.tree if self.lower else b''):
                for file in files:
                    path = os.path.join(folder, file)
                    info = os.lstat(path)
                    lower_path = os.path.join(self.lower, os.path.relpath(path, self.tree))
                    if info.st_nlink > 1 and not (
                        os.path.lexists(lower_path) and same(lower_path, path, os.lstat(lower_path), info)
                    ):
                        self._changed_links.add(info.st_ino)
        return self._changed_links

    def whiteout(self, name):
        item = tarfile.TarInfo(os.fsdecode(name))
        item.type, item.mode, item.mtime = tarfile.CHRTYPE, 0, self.epoch
        if self.first_whiteout:
            item.type, item.linkname = tarfile.LNKTYPE, self.first_whiteout
        self.first_whiteout = self.first_whiteout or item.name
        self.tar.addfile(item)

    def entry(self, name, more_xattrs):
        path = os.path.join(self.tree, name)
        info = os.lstat(path)
        item = tarfile.TarInfo(os.fsdecode(name) or './')
        item.mode, item.uid, item.gid = stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid
        item.mtime = min(int(info.st_mtime), self.epoch)
        for key, value in {**read_xattrs(path), **more_xattrs}.items():
            item.pax_headers['SCHILY.xattr.' + key] = value.decode('utf-8', 'surrogateescape')
        if stat.S_ISDIR(info.st_mode):
            item.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(info.st_mode):
            item.type, item.linkname = tarfile.SYMTYPE, os.fsdecode(os.readlink(path))
        elif info.st_nlink > 1 and info.st_ino in self.first_name:
            item.type, item.linkname = tarfile.LNKTYPE, self.first_name[info.st_ino]
        elif stat.S_ISREG(info.st_mode):
            self.first_name[info.st_ino] = item.name
            item.size = info.st_size
            with open(path, 'rb') as content:
                self.tar.addfile(item, content)
            return
        elif stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:  # the tree is an upper directory
            self.first_name[info.st_ino] = item.name
            item.type = tarfile.CHRTYPE
        else:
            return  # sockets and other device nodes have no place in a layer
        self.tar.addfile(item)


class Onto(Layer):
    """The same changes, made in a mounted overlay."""

    def __init__(self, tree, lower, epoch, mounted):
        with open(os.devnull, 'wb') as nothing:
            super().__init__(tree, lower, epoch, nothing)
        self.mounted = os.fsencode(mounted)

    def write(self):
        self.directory(b'', True)

    def place(self, name):
        return os.path.join(self.mounted, name)

    def whiteout(self, name):
        if os.path.isdir(self.place(name)) and not os.path.islink(self.place(name)):
            shutil.rmtree(self.place(name))
        else:
            os.unlink(self.place(name))

    def entry(self, name, more_xattrs):
        source, place = os.path.join(self.tree, name), self.place(name)
        info = os.lstat(source)
        existing = os.lstat(place).st_mode if os.path.lexists(place) else 0
        stays = more_xattrs != OPAQUE and stat.S_IFMT(existing) == stat.S_IFMT(info.st_mode) and not stat.S_ISLNK(existing)
        first = info.st_nlink > 1 and self.first_name.get(info.st_ino)
        if existing and name and (not stays or first):
            self.whiteout(name)
            stays = False
        if stat.S_ISDIR(info.st_mode):
            if not stays and name:
                os.mkdir(place)
        elif stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(source), place)
        elif first:
            os.link(first, place)
        elif stat.S_ISREG(info.st_mode):
            self.first_name[info.st_ino] = place
            shutil.copyfile(source, place)
        else:
            return
        # chown takes capabilities and setuid bits away, so it comes first.
        os.lchown(place, info.st_uid, info.st_gid)
        if not stat.S_ISLNK(info.st_mode):
            os.chmod(place, stat.S_IMODE(info.st_mode))
        wanted = read_xattrs(source)
        for key in read_xattrs(place).keys() - wanted.keys():
            os.removexattr(place, key, follow_symlinks=False)
        for key, value in wanted.items():
            os.setxattr(place, key, value, follow_symlinks=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tree', required=True)
    parser.add_argument('--lower')
    parser.add_argument('--epoch', required=True, type=int)
    parser.add_argument('--onto')
    arguments = parser.parse_args()
    if arguments.onto:
        Onto(arguments.tree, arguments.lower, arguments.epoch, arguments.onto).write()
    else:
        Layer(arguments.tree, arguments.lower, arguments.epoch, sys.stdout.buffer).write()


if __name__ == '__main__':
    main()
