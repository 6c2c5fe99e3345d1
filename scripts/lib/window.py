"""A part of a file as bytes, as they are or decrypted on the way, without a copy of it on the disk."""
import ctypes
import ctypes.util
import hashlib
import mmap
import os

SECTOR = 4096


class Xts:
    """What dm-crypt does with aes-xts-plain64 and sectors of 4096 bytes: each is a unit of its own, tweaked by its
    position in units of 512 bytes. OpenSSL does the work; cryptsetup has made the key."""

    def __init__(self, key, direction='Decrypt'):
        # One thread a process: nothing is gained by a lock that is given up for each sector.
        crypto = ctypes.PyDLL('libcrypto.so.3')
        pointer, number = ctypes.c_void_p, ctypes.c_int
        crypto.EVP_aes_256_xts.restype = crypto.EVP_CIPHER_CTX_new.restype = pointer
        self._init, self._update = crypto[f'EVP_{direction}Init_ex'], crypto[f'EVP_{direction}Update']
        self._init.argtypes = [pointer, pointer, pointer, ctypes.c_char_p, ctypes.c_char_p]
        self._update.argtypes = [pointer, pointer, pointer, pointer, number]
        self._context = crypto.EVP_CIPHER_CTX_new()
        if len(key) != 64 or not self._init(self._context, crypto.EVP_aes_256_xts(), None, key, None):
            raise OSError('OpenSSL has no AES-256-XTS')
        self._length = ctypes.c_int()

    def convert(self, source, target, first, count):
        """Decrypt or encrypt sectors from one address to another."""
        init, update, context, length = self._init, self._update, self._context, ctypes.byref(self._length)
        # Little endian, 128 bits, of which a disk never needs the upper half.
        tweak = (ctypes.c_uint64 * 2)()
        place = ctypes.cast(tweak, ctypes.c_char_p)
        for sector in range(first * 8, (first + count) * 8, 8):
            tweak[0] = sector
            # A context keeps the key when it is given another tweak only.
            if not (init(context, None, None, None, place) and update(context, target, length, source, SECTOR)):
                raise OSError('OpenSSL fails')
            source += SECTOR
            target += SECTOR


class Window:
    """PIECES of a file, (offset or None for zeros, length), behind one another; with a key what they decrypt to."""

    def __init__(self, path, pieces, key=None):
        self._pieces, at = [], 0
        for offset, length in pieces:
            self._pieces.append((at, at + length, offset))
            at += length
        self.size = at
        self._key, self._xts, self._owner = key, None, None
        with open(path, 'rb') as file:
            # ctypes tells the address of what may be written only. A private map may, and nobody writes to it, so no
            # memory has to be set aside for it (MAP_NORESERVE; the module has no name for it before Python 3.11).
            self._map = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE | 0x4000, mmap.PROT_READ | mmap.PROT_WRITE)
        self._view = memoryview(self._map)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for start, end, offset in self._pieces:
            if offset is not None and offset + end - start > len(self._map):
                raise OSError(f'{path} is shorter than its own description says')

    def _parts(self, offset, length):
        """The parts of the file that hold a range: (offset in the file or None, offset in the window, length)."""
        if offset < 0 or offset + length > self.size:
            raise OSError(f'{offset} (+{length}) lies outside')
        for start, end, place in self._pieces:
            if start < offset + length and offset < end:
                first, last = max(start, offset), min(end, offset + length)
                yield None if place is None else place + first - start, first, last - first

    def read(self, offset, length):
        """A range as it is meant to be read; with a key it begins and ends with a sector."""
        if self._key is None:
            parts = list(self._parts(offset, length))
            if len(parts) == 1 and parts[0][0] is not None:
                return self._view[parts[0][0]:parts[0][0] + length]
            return b''.join(bytes(size) if place is None else self._view[place:place + size] for place, _, size in parts)
        if self._owner != os.getpid():
            self._xts, self._owner = Xts(self._key), os.getpid()
        data = bytearray(length)
        target = ctypes.addressof(ctypes.c_char.from_buffer(data))
        zeros = None
        for place, start, size in self._parts(offset, length):
            if start % SECTOR or size % SECTOR:
                raise OSError(f'{start} (+{size}) is no whole sector')
            if place is None:
                zeros = (ctypes.c_char * size)()
                source = ctypes.addressof(zeros)
            else:
                source = self._address + place
            self._xts.convert(source, target + start - offset, start // SECTOR, size // SECTOR)
        return data

    def encrypt(self, offset, length, xts, target):
        """Encrypt a range of whole sectors, which lies in one piece of the file, to an address."""
        (place, _, _), = self._parts(offset, length)
        xts.convert(self._address + place, target, offset // SECTOR, length // SECTOR)

    def sha256(self):
        """Of the bytes as they lie in the file."""
        hash_ = hashlib.sha256()
        for place, _, size in self._parts(0, self.size):
            for at in range(0, size, 1 << 22):
                part = min(1 << 22, size - at)
                hash_.update(bytes(part) if place is None else self._view[place + at:place + at + part])
        return hash_.hexdigest()
