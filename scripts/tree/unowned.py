"""unowned.py TREE KNOWN: files of a tree that belong to nothing that is listed, one a line: `program PATH` or `file PATH`.

A file has an owner if dpkg lists it (also after a diversion, and under the other name of a merged /usr), if a Python
distribution lists it in its RECORD, if Python has compiled it from such a file, or if a pattern of KNOWN names it. Folders
and links hold nothing of their own. Nothing of the tree is run, and no link is followed out of it.
"""

import csv
import fnmatch
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest_path import inside  # noqa: E402

MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def plain(path):
    """A path as it is in a merged /usr: /bin/x and /usr/bin/x are one file."""
    head, _, rest = path.lstrip("/").partition("/")
    return f"/usr/{head}/{rest}" if head in MERGED and rest else "/" + path.lstrip("/")


def dpkg(tree):
    """Paths that packages own."""
    owned = set()
    info = inside(tree, "/var/lib/dpkg/info")
    for name in os.listdir(info) if info and os.path.isdir(info) else []:
        if name.endswith(".list") and not os.path.islink(os.path.join(info, name)):
            with open(os.path.join(info, name), encoding="utf-8", errors="surrogateescape") as file:
                owned.update(plain(line.rstrip("\n")) for line in file)
    # Three lines each: the path, where it was diverted to, the package.
    diversions = inside(tree, "/var/lib/dpkg/diversions")
    if diversions and os.path.isfile(diversions):
        with open(diversions, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
        for index in range(0, len(lines) - 2, 3):
            if plain(lines[index]) in owned:
                owned.add(plain(lines[index + 1]))
    return owned


def environment(base):
    """The folder that a distribution may have files in: of PREFIX/lib/pythonX/site-packages all of PREFIX."""
    head, lib = base.rsplit("/lib/python", 1) if "/lib/python" in base else (base, "")
    return plain(head if lib.count("/") == 1 else base) + "/"


def python(tree, files):
    """Paths that Python distributions own: RECORD is a CSV file (PEP 376), relative to the folder of the .dist-info. What lies
    outside of its environment is not believed."""
    owned = set()
    for path in files:
        if not path.endswith(".dist-info/RECORD"):
            continue
        base = os.path.dirname(os.path.dirname(path))
        with open(tree + path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.reader(file):
                path = plain(os.path.normpath(os.path.join(base, row[0]))) if row else ""
                if path.startswith(environment(base)):
                    owned.add(path)
    return owned


def patterns(path):
    """Lines `PATTERN  WHO MAKES IT`; a pattern as in fnmatch(3), where * also matches a slash."""
    with open(path, encoding="utf-8") as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def source(path):
    """The source of a compiled file of Python (PEP 3147), or None."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) != "__pycache__" or not name.endswith(".pyc"):
        return None
    return os.path.join(os.path.dirname(folder), name.split(".", 1)[0] + ".py")


def kind(path):
    """Whether a file can be run: by its mode, or as a program or library in the form ELF."""
    with open(path, "rb") as file:
        elf = file.read(4) == b"\x7fELF"
    return "program" if elf or os.stat(path).st_mode & 0o111 else "file"


def main():
    """Print what nobody owns."""
    tree, known = sys.argv[1].rstrip("/"), patterns(sys.argv[2])
    files = []
    for folder, names, found in os.walk(tree):
        names.sort()
        for name in sorted(found):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                files.append(path[len(tree):])
    owned = dpkg(tree) | python(tree, files)
    for path in files:
        of = source(path) or path
        if plain(of) in owned or any(fnmatch.fnmatchcase(path, pattern) for pattern in known):
            continue
        # One line each, whatever is in a name.
        name = os.fsencode(path).replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        sys.stdout.buffer.write(kind(tree + path).encode() + b" " + name + b"\n")


main()
