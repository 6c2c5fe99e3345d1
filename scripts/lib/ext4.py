"""Read an ext4 file system that mkfs.ext4 -d made. The layout: docs.kernel.org/filesystems/ext4.

Everything that is read is checked before it is used, since a file system may be damaged: where it lies, how long it
is, that a folder is reached by one way only, that a name is one. What mkfs is never told to make is refused by name.
"""
import stat
import struct

BLOCK = 4096
ROOT = 2
LOST_AND_FOUND = 11

# Those that change nothing for a reader, or that are read below. "recover" is none: then the journal has to be applied.
INCOMPAT = {0x2: 'filetype', 0x40: 'extents', 0x80: '64bit', 0x200: 'flex_bg', 0x2000: 'csum_seed'}
BIT64 = 0x80
FLAG_EXTENTS = 0x80000
FLAGS_REFUSED = {0x4: 'compressed', 0x800: 'encrypted', 0x200000: 'ea_inode', 0x10000000: 'inline_data'}
PREFIXES = {1: b'user.', 2: b'system.posix_acl_access', 3: b'system.posix_acl_default', 4: b'trusted.',
            6: b'security.', 7: b'system.'}


class Damaged(Exception):
    """The file system is not one that can be read."""


def need(condition, message):
    if not condition:
        raise Damaged(message)


class Inode:
    __slots__ = ('number', 'mode', 'uid', 'gid', 'links', 'size', 'atime', 'mtime', 'flags', 'blocks', 'raw', 'acl')


class Ext4:
    """read(offset, length) gives the bytes of the file system; size is how many there are."""

    def __init__(self, read, size):
        self._read = read
        need(size >= 2 * BLOCK, 'it is too short')
        sb = bytes(read(0, BLOCK))[1024:2048]
        need(sb[56:58] == b'\x53\xef', 'it has no superblock')
        self.inodes, low = struct.unpack_from('<II', sb, 0)
        first, log_size = struct.unpack_from('<II', sb, 20)
        need(log_size == 2 and first == 0, 'its blocks are not of 4096 bytes')
        self.per_group, = struct.unpack_from('<I', sb, 40)
        incompat, = struct.unpack_from('<I', sb, 96)
        unknown = incompat & ~sum(INCOMPAT)
        need(not unknown, f'it has features that are not known here: {unknown:#x}')
        wide = bool(incompat & BIT64)
        self.blocks = low + (struct.unpack_from('<I', sb, 0x150)[0] << 32 if wide else 0)
        need(0 < self.blocks <= size // BLOCK, f'it has {self.blocks} blocks, and there are {size // BLOCK}')
        self.inode_size, = struct.unpack_from('<H', sb, 88)
        need(self.inode_size in (256, 512, 1024), f'its inodes have {self.inode_size} bytes')
        blocks_per_group, = struct.unpack_from('<I', sb, 32)
        need(blocks_per_group > 0 and self.per_group > 0, 'its groups are empty')
        width = struct.unpack_from('<H', sb, 254)[0] if wide else 32
        need(width in (32, 64), f'its group descriptors have {width} bytes')
        groups = -(-self.blocks // blocks_per_group)
        need(0 < self.inodes <= groups * self.per_group, f'it has {self.inodes} inodes in {groups} groups')
        table = self.span(1, -(-groups * width // BLOCK))
        self.tables = []
        for at in range(0, groups * width, width):
            high = struct.unpack_from('<I', table, at + 0x28)[0] if width == 64 else 0
            self.tables.append(struct.unpack_from('<I', table, at + 8)[0] + (high << 32))
        self._cache = {}

    def span(self, block, count):
        """Some blocks that lie behind one another."""
        need(0 <= block and count > 0 and block + count <= self.blocks, f'block {block} (+{count}) lies outside')
        return self._read(block * BLOCK, count * BLOCK)

    def inode(self, number):
        need(0 < number <= self.inodes, f'there is no inode {number}')
        group, index = divmod(number - 1, self.per_group)
        block, offset = divmod(index * self.inode_size, BLOCK)
        block += self.tables[group]
        table = self._cache.get(block)
        if table is None:
            table = self._cache[block] = bytes(self.span(block, 1))
        raw = table[offset:offset + self.inode_size]
        node = Inode()
        node.number, node.raw = number, raw
        node.mode, uid, low, atime, _, mtime, _, gid, node.links = struct.unpack_from('<HHIIIIIHH', raw, 0)
        node.flags, = struct.unpack_from('<I', raw, 32)
        node.blocks = raw[40:100]
        node.acl = struct.unpack_from('<I', raw, 104)[0] + (struct.unpack_from('<H', raw, 118)[0] << 32)
        node.size = low + (struct.unpack_from('<I', raw, 108)[0] << 32)
        uid_high, gid_high = struct.unpack_from('<HH', raw, 120)
        node.uid, node.gid = uid + (uid_high << 16), gid + (gid_high << 16)
        extra, = struct.unpack_from('<H', raw, 128)
        need(extra % 4 == 0 and 128 + extra <= self.inode_size, f'inode {number} is {128 + extra} bytes long')
        node.atime = _time(raw, atime, extra, 140)
        node.mtime = _time(raw, mtime, extra, 136)
        need(node.links > 0, f'inode {number} is in use and free at once')
        for flag, name in FLAGS_REFUSED.items():
            need(not node.flags & flag, f'inode {number} is {name}')
        return node

    def extents(self, node):
        """Where its content lies: (block of the file, block of the file system, count), by the first. What has no
        extent, and an extent that was never written, reads as zeros."""
        if node.size == 0:
            return []
        need(node.flags & FLAG_EXTENTS, f'inode {node.number} has no extents')
        found = []
        self._extents(node, node.blocks, 4, found)
        end = 0
        for first, _, count in found:
            need(first >= end, f'the extents of inode {node.number} overlap')
            end = first + count
        return found

    def _extents(self, node, data, room, found, above=6):
        magic, entries, most, depth = struct.unpack_from('<HHHH', data, 0)
        need(magic == 0xF30A and entries <= most <= room and depth < above,
             f'the extents of inode {node.number} are damaged')
        for at in range(12, 12 + 12 * entries, 12):
            if depth:
                _, low, high = struct.unpack_from('<IIH', data, at)
                block = bytes(self.span(low + (high << 32), 1))
                self._extents(node, block, (BLOCK - 12) // 12, found, depth)
                continue
            first, count, high, low = struct.unpack_from('<IHHI', data, at)
            if count > 32768:
                continue
            start = low + (high << 32)
            need(count > 0 and start > 0 and start + count <= self.blocks, f'inode {node.number} lies outside')
            found.append((first, start, count))

    def content(self, node, most):
        """The whole content of a small one."""
        need(node.size <= most, f'inode {node.number} has {node.size} bytes')
        data = bytearray(-(-node.size // BLOCK) * BLOCK)
        for first, start, count in self.extents(node):
            need((first + count) * BLOCK <= len(data), f'inode {node.number} is longer than its size')
            data[first * BLOCK:(first + count) * BLOCK] = self.span(start, count)
        return bytes(data[:node.size])

    def link(self, node):
        """Where a symbolic link points to."""
        need(0 < node.size < BLOCK, f'the link {node.number} has {node.size} bytes')
        fast = node.size < 60 and not node.flags & FLAG_EXTENTS
        target = node.blocks[:node.size] if fast else self.content(node, BLOCK)
        need(b'\0' not in target, f'the link {node.number} holds a zero')
        return target

    def folder(self, node):
        """Its entries, as (name, inode number), without . and .. The blocks of its index look like free ones."""
        need(stat.S_ISDIR(node.mode) and node.size % BLOCK == 0, f'inode {node.number} is no folder')
        data = self.content(node, self.blocks * BLOCK)
        names = {}
        at = 0
        while at < len(data):
            number, length, size, _ = struct.unpack_from('<IHBB', data, at)
            end = at + length
            need(length >= 8 + size and length % 4 == 0 and at // BLOCK == (end - 1) // BLOCK,
                 f'the folder {node.number} is damaged at {at}')
            if number:
                name = data[at + 8:at + 8 + size]
                need(name and b'/' not in name and b'\0' not in name, f'the folder {node.number} has the name {name!r}')
                need(name not in names, f'the folder {node.number} has the name {name!r} twice')
                names[name] = number
            at = end
        need(names.pop(b'.', None) == node.number and names.pop(b'..', None), f'the folder {node.number} is damaged')
        return list(names.items())

    def attributes(self, node):
        """Its extended attributes by name, as setxattr(2) takes them."""
        found = {}
        start = 128 + struct.unpack_from('<H', node.raw, 128)[0]
        if node.raw[start:start + 4] == b'\0\0\x02\xea':
            self._attributes(node, node.raw[start + 4:], 0, found)
        if node.acl:
            block = bytes(self.span(node.acl, 1))
            need(block[:4] == b'\0\0\x02\xea', f'the attributes of inode {node.number} are damaged')
            self._attributes(node, block, 32, found)
        return found

    def _attributes(self, node, data, at, found):
        broken = f'the attributes of inode {node.number} are damaged'
        while data[at:at + 4] != b'\0\0\0\0':
            need(at + 16 <= len(data), broken)
            size, prefix, offset, other, length = struct.unpack_from('<BBHII', data, at)
            name = data[at + 16:at + 16 + size]
            need(prefix in PREFIXES and not other and len(name) == size and offset + length <= len(data), broken)
            name = PREFIXES[prefix] + name
            need(name not in found and b'\0' not in name, broken)
            value = data[offset:offset + length]
            found[name] = _acl(value, broken) if prefix in (2, 3) else value
            at += (16 + size + 3) & ~3


def _time(raw, seconds, extra, at):
    """Nanoseconds since 1970: 34 bits of seconds, and the part of a second."""
    more = struct.unpack_from('<I', raw, at)[0] if 128 + extra >= at + 4 else 0
    signed = seconds - (1 << 32) if seconds >= 1 << 31 else seconds
    return (signed + ((more & 3) << 32)) * 10**9 + (more >> 2)


def _acl(value, broken):
    """An ACL as ext4 keeps it (fs/ext4/acl.h), in the form of setxattr(2) (linux/posix_acl_xattr.h)."""
    need(value[:4] == b'\1\0\0\0', broken)
    entries, at = [struct.pack('<I', 2)], 4
    while at < len(value):
        need(at + 4 <= len(value), broken)
        tag, permissions = struct.unpack_from('<HH', value, at)
        at += 4
        who = 0xFFFFFFFF
        if tag in (2, 8):
            need(at + 4 <= len(value), broken)
            who, = struct.unpack_from('<I', value, at)
            at += 4
        entries.append(struct.pack('<HHI', tag, permissions, who))
    return b''.join(entries)
