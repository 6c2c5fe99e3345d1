#!/usr/bin/env python3
"""Squashfs layers of a real overlay mount, with random changes, and what the mount shows.

    random-layers.py make FORM SEED FOLDER    fills FOLDER with 1.squashfs, 2.squashfs, … and `shown`
    random-layers.py list TREE                prints a tree in the form of `shown`

FORM is root (attributes trusted.overlay.*, as livecd-rootfs has them) or user (mounted with -o userxattr, which an
ordinary user may do in a namespace). Needs a mount namespace of its own. The layers are made as livecd-rootfs makes
them: mksquashfs of the upper directory.
"""
import errno
import hashlib
import os
import random
import shutil
import stat
import struct
import subprocess
import sys

LAYERS, CHANGES = 3, 60
COMPRESSION = ['xz', 'gzip', 'zstd', 'lz4', 'lzo', 'lzma']
CAPABILITY = struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw: linux/capability.h
PIECES = [b'a', b'B', b'-', b' ', b'\n', b'\\', b"'", b'*', 'é'.encode(), b'\xff\xfe', b'=', b'.wh.']


def listing(top):
    """Everything that a layer keeps, one line for each entry. Device nodes are not kept."""
    lines, links = [], {}
    os.chdir(top)
    paths = [b'.']
    for folder, folders, files in os.walk(b'.'):
        paths += [os.path.join(folder, name) for name in folders + files]
    for path in sorted(paths):
        info = os.lstat(path)
        if stat.S_ISBLK(info.st_mode) or stat.S_ISCHR(info.st_mode):
            continue
        names = [name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith('trusted.')]
        xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}
        first, content = '', ''
        # mksquashfs makes separate symbolic links of one with two names.
        if not stat.S_ISDIR(info.st_mode) and not stat.S_ISLNK(info.st_mode):
            first = links.setdefault((info.st_dev, info.st_ino), path)
        if stat.S_ISREG(info.st_mode):
            with open(path, 'rb') as file:
                content = f'{info.st_size} {hashlib.sha256(file.read()).hexdigest()[:16]}'
        elif stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        lines.append(f'{path} {info.st_mode:o} {info.st_uid}:{info.st_gid} {info.st_mtime_ns // 10**9} {first} {content} {xattrs}')
    return '\n'.join(lines) + '\n'


class Changes:
    """Random changes below a folder, of each kind that leaves something of its own in an upper directory."""

    def __init__(self, chance, top, form):
        self.chance, self.top, self.form = chance, os.fsencode(top), form

    def look(self):
        """Take note of all paths that there are."""
        found = []
        for folder, folders, files in os.walk(self.top):
            found += [os.path.join(folder, name) for name in folders + files]
        self.paths = [(path, os.lstat(path).st_mode) for path in sorted(found)]

    def some(self, wanted=lambda mode: True):
        fitting = [path for path, mode in self.paths if wanted(mode)]
        return self.chance.choice(fitting) if fitting else None

    def below(self, path):
        return sum(1 for other, _ in self.paths if path and other.startswith(path + b'/'))

    def place(self):
        folder = self.some(stat.S_ISDIR) or self.top
        return os.path.join(folder, b'n' + b''.join(self.chance.choices(PIECES, k=self.chance.randint(1, 5))))

    def create(self, path):
        kind = self.chance.choice(['file', 'file', 'hole', 'folder', 'link', 'fifo', 'socket', 'node'])
        if kind == 'folder':
            os.mkdir(path)
            for name in self.chance.sample([b'a', b'b', b'c'], k=self.chance.randint(0, 3)):
                self.create(os.path.join(path, name))
        elif kind == 'link':
            os.symlink(self.chance.choice([b'/etc/passwd', b'..', b'x' * 200]), path)
        elif kind == 'fifo':
            os.mkfifo(path)
        elif kind == 'socket':
            os.mknod(path, stat.S_IFSOCK | 0o600)
        elif kind == 'node' and self.form == 'root':
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        else:
            with open(path, 'wb') as file:
                file.write(self.chance.randbytes(self.chance.choice([0, 10, 5000, 200_000])))
                if kind == 'hole':
                    file.truncate(2_000_000)

    def remove(self, path):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def change(self):
        self.look()
        # Of three, the one with the shortest listing: otherwise little would be left after some changes.
        victim = min((self.some() for _ in range(3)), key=self.below)
        what = self.chance.choice(
            ['create', 'create', 'remove', 'remove', 'replace', 'replace', 'empty', 'rename', 'over', 'link', 'write',
             'mode', 'owner', 'times', 'xattr', 'unset', 'capability'])  # fmt: skip
        path = self.some()
        if what == 'create' or path is None:
            self.create(self.place())
        elif what == 'remove':
            self.remove(victim)
        elif what == 'replace':
            self.remove(victim)
            self.create(victim)
        elif what == 'empty':  # an opaque directory
            path = min((self.some(stat.S_ISDIR) for _ in range(3)), key=self.below)
            if path:
                names = os.listdir(path)
                shutil.rmtree(path)
                os.mkdir(path)
                for name in names[:1]:
                    self.create(os.path.join(path, name))
        elif what == 'rename':
            os.rename(path, self.place())
        elif what == 'over':
            os.rename(path, victim)
        elif what == 'link':
            os.link(path, self.place(), follow_symlinks=False)
        elif what == 'write':
            path = self.some(stat.S_ISREG)
            if path:
                # Not 'ab': where fs.protected_regular is set, O_CREAT is refused in a sticky directory, even to root.
                with open(path, 'r+b') as file:
                    file.seek(0, os.SEEK_END)
                    file.write(b'more')
        elif what == 'mode':
            if not os.path.islink(path):
                os.chmod(path, self.chance.choice([0o644, 0o4755, 0o2775, 0o1777, 0o000]))
        elif what == 'owner':
            os.lchown(path, self.chance.choice([0, 1000, 65534]), self.chance.choice([0, 42]))
        elif what == 'times':
            os.utime(path, (1, self.chance.randint(1, 10**9)), follow_symlinks=False)
        elif what in ('xattr', 'unset'):
            path = self.some(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
            # In root's overlay this one is data, such as the containers of a user have it.
            name = self.chance.choice(['user.note', 'user.overlay.opaque' if self.form == 'root' else 'user.other'])
            if path and what == 'xattr':
                os.setxattr(path, name, self.chance.choice([b'', b'y', self.chance.randbytes(300)]))
            elif path:
                os.removexattr(path, name)
        elif what == 'capability':
            path = self.some(stat.S_ISREG)
            if path:
                os.setxattr(path, 'security.capability', CAPABILITY)

    def run(self):
        for _ in range(CHANGES):
            try:
                self.change()
            except OSError as error:
                # What no file system allows, such as a directory over a file, or overlayfs without redirects.
                if error.errno not in (errno.EXDEV, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY,
                                       errno.EINVAL, errno.ENODATA, errno.EPERM, errno.ENAMETOOLONG, errno.EBUSY):  # fmt: skip
                    raise


def make(form, seed, folder):
    os.chdir(folder)
    chance = random.Random(seed)
    for name in ('1', 'mounted', 'empty'):
        os.mkdir(name)
    subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), 'random-tree.py'), str(seed), '1', '1700000000'], check=True)
    options = ',userxattr' if form == 'user' else ''
    for number in range(2, LAYERS + 1):
        for name in (f'{number}', f'work-{number}'):
            os.mkdir(name)
        lower = ':'.join(str(below) for below in range(number - 1, 0, -1))
        words = f'lowerdir={lower},upperdir={number},workdir=work-{number}{options}'
        subprocess.run(['mount', '-t', 'overlay', '-o', words, 'overlay', 'mounted'], check=True)
        Changes(chance, 'mounted', form).run()
        subprocess.run(['umount', 'mounted'], check=True)
    for number in range(1, LAYERS + 1):
        squash = ['mksquashfs', str(number), f'{number}.squashfs', '-comp', chance.choice(COMPRESSION), '-xattrs']
        squash += ['-noappend', '-no-progress', '-quiet', *chance.choice([[], [], ['-noI'], ['-noX']])]
        subprocess.run(squash, check=True, stdout=subprocess.DEVNULL)
    # Mounted again, all of them as lower layers, as an installer does: the mount before remembers inodes of its own.
    # By its origin a copy shows the inode number of what it was copied from, which would look like a hard link to it.
    for number in range(2, LAYERS + 1):
        forget_origins(os.fsencode(str(number)), form)
    words = f'lowerdir={":".join(str(number) for number in range(LAYERS, 0, -1))}{options}'
    subprocess.run(['mount', '-t', 'overlay', '-o', words, 'overlay', 'mounted'], check=True)
    text = listing('mounted')
    os.chdir('..')
    with open('shown', 'w', encoding='utf-8') as file:
        file.write(text)


def forget_origins(top, form):
    name = 'user.overlay.origin' if form == 'user' else 'trusted.overlay.origin'
    for folder, folders, files in os.walk(top):
        for path in (os.path.join(folder, child) for child in folders + files):
            if name in os.listxattr(path, follow_symlinks=False):
                os.removexattr(path, name, follow_symlinks=False)


if __name__ == '__main__':
    if sys.argv[1] == 'list':
        sys.stdout.write(listing(sys.argv[2]))
    else:
        make(sys.argv[2], int(sys.argv[3]), sys.argv[4])
