#!/usr/bin/env python3
"""Give a kernel another release name of the same length, so that `uname -r` says what its packages are called.

    rename-kernel.py --from 6.1.0-56-amd64 --to 6.1.56-generic --image vmlinuz
    rename-kernel.py --from 6.1.0-56-amd64 --to 6.1.56-generic --modules DIRECTORY

The name is a part of the compressed payload of the image and of each module's vermagic. What follows the new, never
longer payload is filled with zeros: the decompressor stops at the end of the stream.
"""
import argparse
import pathlib
import struct
import subprocess
import sys

# First bytes of a payload, and how the kernel's build packs one of that kind (scripts/Makefile.lib). Strongest levels:
# the new payload has no more room than the old one.
PACKERS = {
    b'\xfd7zXZ\0': ['xz', '--check=crc32', '--x86', '--lzma2=preset=9e,dict=32MiB'],
    b'\x02!L\x18': ['lz4', '-l', '-12'],
    b'(\xb5/\xfd': ['zstd', '--ultra', '-22', '-T1'],
}
SIGNATURE = b'~Module signature appended~\n'


def run(command, content):
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout


def image(path, old, new):
    """Rename the kernel in a bzImage, see Documentation/arch/x86/boot.rst for the offsets."""
    data = bytearray(path.read_bytes())
    setup_end = ((data[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from('<II', data, 0x248)
    start = setup_end + offset
    payload = bytes(data[start:start + length])
    packer = next((words for magic, words in PACKERS.items() if payload.startswith(magic)), None)
    if packer is None:
        sys.exit(f'{path}: the payload is of an unknown kind, it begins with {payload[:6].hex()}')
    # The build appends the unpacked size, which does not change.
    kernel = run([packer[0], '-dc'], payload[:-4])
    if old not in kernel:
        sys.exit(f'{path}: its release is not {old.decode()}')
    packed = run([*packer, '-c'], kernel.replace(old, new))
    if len(packed) > length - 4:
        sys.exit(f'{path}: the new payload has {len(packed)} bytes, {length - 4} is all there is')
    data[start:start + length - 4] = packed.ljust(length - 4, b'\0')
    data[:setup_end] = data[:setup_end].replace(old, new)
    path.write_bytes(data)


def modules(folder, old, new):
    """Rename in the modules, which must not be compressed. A signature would not fit any more, so it goes."""
    for path in folder.rglob('*.ko'):
        data = path.read_bytes()
        if data.endswith(SIGNATURE):
            size, = struct.unpack('>I', data[-len(SIGNATURE) - 4:-len(SIGNATURE)])
            data = data[:-len(SIGNATURE) - 12 - size]
        path.write_bytes(data.replace(old, new))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--from', dest='old', required=True)
    parser.add_argument('--to', dest='new', required=True)
    parser.add_argument('--image', type=pathlib.Path)
    parser.add_argument('--modules', type=pathlib.Path)
    arguments = parser.parse_args()
    old, new = arguments.old.encode(), arguments.new.encode()
    if len(old) != len(new):
        sys.exit(f'{arguments.new} must have the {len(old)} characters of {arguments.old}')
    if arguments.image:
        image(arguments.image, old, new)
    if arguments.modules:
        modules(arguments.modules, old, new)


if __name__ == '__main__':
    main()
