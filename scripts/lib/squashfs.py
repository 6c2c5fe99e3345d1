"""Read the directory tree of a squashfs file: names, owners, hard links, device numbers and extended attributes.

File content is not read; unsquashfs decompresses that on every processor. No tool prints the rest in a form that can
be parsed: `unsquashfs -lln` neither escapes names nor shows attributes, and sqfs2tar decompresses all content on one
processor. The format is version 4.0, Documentation/filesystems/squashfs.rst of Linux; all numbers are little-endian.

Nothing here trusts the file. Raises Damaged for what is not a valid squashfs.
"""
import ctypes
import lzma
import os
import stat
import struct
import zlib
from collections import namedtuple

# xattrs: names and values as bytes. children: of a directory, by name, in the order of the file; None otherwise.
Entry = namedtuple('Entry', 'mode uid gid mtime inode size rdev xattrs children')

META_SIZE = 8192
NO_TABLE = 2**64 - 1
NO_XATTRS = 2**32 - 1
NAME_MAX = 255
# Paths longer than PATH_MAX cannot be given to a system call. Some room is left for the folder that they are put into.
PATH_LENGTH, DEPTH = 3584, 256
# Directories may share their list of names, so the size of the file does not bound their number.
NAMES = 1 << 22
XATTR_PREFIXES = (b'user.', b'trusted.', b'security.')
XATTR_OUT_OF_LINE = 0x100
# The most that Linux allows for one attribute and for the names of one file: linux/limits.h.
XATTR_SIZE = 65536
# inode type → file type, struct behind the common header, whether it is of the extended form
KINDS = {
    1: (stat.S_IFDIR, struct.Struct('<IIHHI'), False),
    2: (stat.S_IFREG, struct.Struct('<IIII'), False),
    3: (stat.S_IFLNK, struct.Struct('<II'), False),
    4: (stat.S_IFBLK, struct.Struct('<II'), False),
    5: (stat.S_IFCHR, struct.Struct('<II'), False),
    6: (stat.S_IFIFO, struct.Struct('<I'), False),
    7: (stat.S_IFSOCK, struct.Struct('<I'), False),
    8: (stat.S_IFDIR, struct.Struct('<IIIIHHI'), True),
    9: (stat.S_IFREG, struct.Struct('<QQQIIII'), True),
    10: (stat.S_IFLNK, struct.Struct('<II'), True),
    11: (stat.S_IFBLK, struct.Struct('<III'), True),
    12: (stat.S_IFCHR, struct.Struct('<III'), True),
    13: (stat.S_IFIFO, struct.Struct('<II'), True),
    14: (stat.S_IFSOCK, struct.Struct('<II'), True),
}
COMMON = struct.Struct('<HHHHII')
SUPERBLOCK = struct.Struct('<4sIIIIHHHHHHQQQQQQQQ')
ID_BLOCK = META_SIZE // 4


class Damaged(Exception):
    """The file is not a squashfs that can be read, and why."""


def _library(name, function):
    """One function of a compression library that Python lacks. unsquashfs is linked with it, so the host has it."""
    try:
        return getattr(ctypes.CDLL(name), function)
    except (OSError, AttributeError) as error:
        raise Damaged(f'it is compressed with {name}, which cannot be loaded: {error}') from error


def _lz4(data):
    output = ctypes.create_string_buffer(META_SIZE)
    size = _library('liblz4.so.1', 'LZ4_decompress_safe')(data, output, len(data), META_SIZE)
    return output.raw[:size] if size >= 0 else b''


def _lzo(data):
    output, size = ctypes.create_string_buffer(META_SIZE), ctypes.c_size_t(META_SIZE)
    failed = _library('liblzo2.so.2', 'lzo1x_decompress_safe')(data, ctypes.c_size_t(len(data)), output, ctypes.byref(size), None)
    return b'' if failed else output.raw[: size.value]


def _zstd(data):
    function = _library('libzstd.so.1', 'ZSTD_decompress')
    function.restype = ctypes.c_size_t
    output = ctypes.create_string_buffer(META_SIZE)
    size = function(output, ctypes.c_size_t(META_SIZE), data, ctypes.c_size_t(len(data)))
    return output.raw[:size] if size <= META_SIZE else b''  # an error is a size near 2^64


def _limited(decompressor):
    return lambda data: decompressor().decompress(data, META_SIZE)


DECOMPRESS = {
    1: _limited(zlib.decompressobj),
    2: _limited(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    3: _lzo,
    4: _limited(lzma.LZMADecompressor),
    5: _lz4,
    6: _zstd,
}


class _Cursor:
    """Reads on from a place in a table, across its blocks."""

    def __init__(self, image, block, offset):
        self.image, self.position = image, offset
        self.data, self.following = image.block(block)

    def read(self, size):
        while len(self.data) - self.position < size:
            more, self.following = self.image.block(self.following)
            self.data, self.position = self.data[self.position :] + more, 0
        start, self.position = self.position, self.position + size
        return self.data[start : start + size]

    def unpack(self, form):
        return form.unpack(self.read(form.size))


class Squashfs:
    """A squashfs file. `root` is the Entry of its root directory."""

    def __init__(self, path):
        with open(path, 'rb') as self.file:
            self.length = os.fstat(self.file.fileno()).st_size
            self.blocks = {}
            try:
                self._superblock()
                self._read_xattrs()
                self.root = self._tree()
            except (struct.error, zlib.error, lzma.LZMAError, OverflowError) as error:
                raise Damaged(f'its metadata cannot be read: {error}') from error
            self.blocks.clear()

    def _at(self, position, size):
        if position + size > self.length:
            raise Damaged(f'it refers to byte {position + size}, but ends at {self.length}')
        self.file.seek(position)
        return self.file.read(size)

    def block(self, position):
        """The metadata block at a position of the file, and where the next one is."""
        if position not in self.blocks:
            (header,) = struct.unpack('<H', self._at(position, 2))
            size = header & 0x7FFF
            data = self._at(position + 2, size)
            if not header & 0x8000:
                data = self.decompress(data)
            if not 0 < len(data) <= META_SIZE:
                raise Damaged(f'the metadata at byte {position} cannot be decompressed')
            self.blocks[position] = data, position + 2 + size
        return self.blocks[position]

    def _superblock(self):
        fields = SUPERBLOCK.unpack(self._at(0, SUPERBLOCK.size))
        (magic, _, _, _, _, compression, _, _, ids, major, minor, self.root_reference, used, id_table,
            self.xattr_table, self.inode_table, self.directory_table, _, _) = fields  # fmt: skip
        if magic != b'hsqs' or (major, minor) != (4, 0):
            raise Damaged('it is not a squashfs of version 4.0')
        if used > self.length:
            raise Damaged(f'it has {self.length} of {used} bytes')
        if compression not in DECOMPRESS:
            raise Damaged(f'its compression has the unknown number {compression}')
        self.decompress = DECOMPRESS[compression]
        pointers = self._pointers(id_table, -(-ids // ID_BLOCK))
        packed = b''.join(self.block(pointer)[0] for pointer in pointers)
        self.ids = struct.unpack(f'<{ids}I', packed[: 4 * ids])

    def _pointers(self, position, count):
        return struct.unpack(f'<{count}Q', self._at(position, 8 * count))

    def _read_xattrs(self):
        """All sets of extended attributes, as a list of dicts; an inode has the number of its set."""
        self.xattrs = []
        if self.xattr_table == NO_TABLE:
            return
        start, count = struct.unpack('<QI4x', self._at(self.xattr_table, 16))
        entry = struct.Struct('<QII')
        packed = b''.join(self.block(pointer)[0] for pointer in self._pointers(self.xattr_table + 16, -(-count // 512)))
        for reference, attributes, _ in entry.iter_unpack(packed[: entry.size * count]):
            self.xattrs.append(self._xattr_set(start, reference, attributes))
        if len(self.xattrs) != count:
            raise Damaged('its table of extended attributes is too short')

    def _xattr_set(self, start, reference, count):
        cursor, result = _Cursor(self, start + (reference >> 16), reference & 0xFFFF), {}
        if count * 2 > XATTR_SIZE:  # a name takes two bytes at least
            raise Damaged(f'an entry has {count} extended attributes')
        for _ in range(count):
            kind, length = cursor.unpack(struct.Struct('<HH'))
            if kind & 0xFF >= len(XATTR_PREFIXES) or not 0 < length <= NAME_MAX:
                raise Damaged(f'an extended attribute is of kind {kind} with a name of {length} bytes')
            name = XATTR_PREFIXES[kind & 0xFF] + cursor.read(length)
            (size,) = cursor.unpack(struct.Struct('<I'))
            if size > XATTR_SIZE:
                raise Damaged(f'an extended attribute has {size} bytes')
            value = cursor.read(size)
            if kind & XATTR_OUT_OF_LINE:
                (place,) = struct.unpack('<Q', value)
                elsewhere = _Cursor(self, start + (place >> 16), place & 0xFFFF)
                (size,) = elsewhere.unpack(struct.Struct('<I'))
                if size > XATTR_SIZE:
                    raise Damaged(f'an extended attribute has {size} bytes')
                value = elsewhere.read(size)
            result[name] = value
        return result

    def _tree(self):
        """All entries, from the root on, without recursion: a hostile depth must not end this program."""
        self.seen_directories = {self.root_reference}
        root, place = self._inode(self.root_reference)
        if place is None:
            raise Damaged('its root is not a directory')
        waiting, count = [(b'.', 0, root, place)], 0
        while waiting:
            path, depth, entry, place = waiting.pop()
            for name, reference in self._names(path, place):
                if len(path) + 1 + len(name) > PATH_LENGTH or depth >= DEPTH:
                    raise Damaged(f'it has a path of more than {PATH_LENGTH} bytes or {DEPTH} folders: {path[:80]!r}…')
                child_path = path + b'/' + name
                count += 1
                if count > NAMES:
                    raise Damaged(f'it has more than {NAMES} entries')
                child, child_place = self._inode(reference)
                if name in entry.children:
                    raise Damaged(f'it has the entry {os.fsdecode(child_path)!r} twice')
                entry.children[name] = child
                if child_place is not None:
                    if reference in self.seen_directories:
                        raise Damaged(f'the directory {os.fsdecode(child_path)!r} is there under another name, too')
                    self.seen_directories.add(reference)
                    waiting.append((child_path, depth + 1, child, child_place))
        return root

    def _inode(self, reference):
        """The inode at a reference, and where the names of a directory are."""
        cursor = _Cursor(self, self.inode_table + (reference >> 16), reference & 0xFFFF)
        kind, mode, uid, gid, mtime, number = cursor.unpack(COMMON)
        if kind not in KINDS or max(uid, gid) >= len(self.ids):
            raise Damaged(f'an inode is of type {kind} with owner {uid}:{gid}')
        form, body, extended = KINDS[kind]
        fields = cursor.unpack(body)
        xattr = fields[-1] if extended else NO_XATTRS
        size = rdev = 0
        children = place = None
        if form == stat.S_IFDIR:
            # The size of a directory counts 3 bytes for the names "." and "..", which are not stored.
            if extended:
                _, length, block, _, _, offset, _ = fields
            else:
                block, _, length, offset, _ = fields
            children, place = {}, (self.directory_table + block, offset, max(length - 3, 0))
        elif form == stat.S_IFREG:
            size = fields[1] if extended else fields[3]
        elif form == stat.S_IFLNK:
            size = fields[1]
            if extended:
                if size > PATH_LENGTH * 2:
                    raise Damaged(f'a symbolic link has {size} bytes')
                cursor.read(size)
                (xattr,) = cursor.unpack(struct.Struct('<I'))
        elif form in (stat.S_IFBLK, stat.S_IFCHR):
            rdev = fields[1]
        if xattr != NO_XATTRS and xattr >= len(self.xattrs):
            raise Damaged(f'an inode has the extended attributes {xattr} of {len(self.xattrs)}')
        attributes = {} if xattr == NO_XATTRS else self.xattrs[xattr]
        entry = Entry(form | mode & 0o7777, self.ids[uid], self.ids[gid], mtime, number, size, rdev, attributes, children)
        return entry, place

    def _names(self, path, place):
        """Name and inode reference of each entry of a directory."""
        block, offset, remaining = place
        if not remaining:
            return
        cursor = _Cursor(self, block, offset)
        head, item = struct.Struct('<III'), struct.Struct('<HhHH')
        while remaining > 0:
            count, start, _ = cursor.unpack(head)
            remaining -= head.size
            if count > 255:
                raise Damaged(f'the directory {os.fsdecode(path)!r} has a run of {count} names')
            for _ in range(count + 1):
                position, _, _, length = cursor.unpack(item)
                if length >= NAME_MAX:
                    raise Damaged(f'the directory {os.fsdecode(path)!r} has a name of {length + 1} bytes')
                name = cursor.read(length + 1)
                remaining -= item.size + length + 1
                if name in (b'.', b'..') or b'/' in name or b'\0' in name:
                    entry = os.fsdecode(path + b'/' + name)
                    raise Damaged(f'it has the entry {entry!r}, which leads out of its directory')
                yield name, start << 16 | position
        if remaining:
            raise Damaged(f'the directory {os.fsdecode(path)!r} does not end where it should')
