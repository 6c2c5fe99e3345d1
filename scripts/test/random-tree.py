#!/usr/bin/env python3
"""random-tree.py SEED FOLDER EPOCH: fill a folder with all that a root file system is made of, different for each seed.

Runs where other ids can be given away. Names, sizes, holes, owners, modes, times, symbolic and hard links, extended
attributes, capabilities, fifos; whole seconds, since mkfs.ext4 -d of e2fsprogs 1.47 keeps no more; never device nodes, which an ordinary user cannot make.
"""
import os
import random
import struct
import sys

seed, top, epoch = int(sys.argv[1]), os.fsencode(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
pieces = [b"a", b"B", b"9", b".", b"-", b" ", b"\n", b"\\", b"'", b'"', b"$(x)", b"%41", b"*", "é".encode(), b"\xff\xfe", b"="]
folders, files = [top], []


def name():
    while True:
        text = b"".join(chance.choices(pieces, k=chance.randint(1, 12)))
        if text not in (b".", b"..") and b"/" not in text:
            return text


def finish(path, link=False):
    os.lchown(path, chance.choice([0, 0, 1000, 65534]), chance.choice([0, 42, 1000]))
    if not link:
        os.chmod(path, chance.choice([0o644, 0o755, 0o4755, 0o2775, 0o1777, 0o600, 0o000, 0o444]))
    stamp = chance.randint(1, 1_700_000_000)
    os.utime(path, (stamp, stamp), follow_symlinks=False)


def content(file):
    kind = chance.choice(["empty", "small", "odd", "hole", "zeros"])
    if kind == "small":
        file.write(chance.randbytes(chance.randint(1, 4095)))
    elif kind == "odd":
        file.write(chance.randbytes(chance.choice([4096, 4097, 8191, 200_001])))
    elif kind == "hole":
        file.seek(chance.randint(5_000, 3_000_000))
        file.write(b"end")
    elif kind == "zeros":
        file.write(bytes(chance.randint(1, 50_000)))


made = []
for _ in range(chance.randint(50, 250)):
    path = os.path.join(chance.choice(folders), name())
    if os.path.lexists(path) or len(path) > 900:
        continue
    kind = chance.choices(["folder", "file", "link", "hard", "fifo"], [3, 10, 2, 2, 1])[0]
    if kind == "folder":
        os.mkdir(path)
        folders.append(path)
    elif kind == "file":
        with open(path, "wb") as file:
            content(file)
        if chance.random() < 0.2:
            os.setxattr(path, b"user.note", chance.randbytes(chance.choice([0, 1, 300])))
        if chance.random() < 0.1:
            # VFS_CAP_REVISION_2, cap_net_raw permitted and effective: linux/capability.h
            os.setxattr(path, b"security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
        files.append(path)
    elif kind == "link":
        os.symlink(chance.choice([b"/etc/passwd", b"../../..", name(), b"/" + b"long/" * 30]), path)
    elif kind == "hard" and files:
        os.link(chance.choice(files), path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        continue
    made.append(path)
# Owners after contents, and the deepest first: a change below a folder changes its time. chown takes away
# capabilities and setuid bits, so what has a capability keeps its owner.
for path in sorted(made, key=len, reverse=True):
    if os.path.islink(path):
        finish(path, link=True)
    elif "security.capability" not in os.listxattr(path):
        finish(path)
    else:
        os.utime(path, (2, 2))
os.utime(top, (epoch, epoch))
