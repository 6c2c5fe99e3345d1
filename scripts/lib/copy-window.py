#!/usr/bin/env python3
"""Print a part of a file, decrypted on the way, and compare that part with its sha256.

    copy-window.py FILE SHA256 KEY_FILE <PIECES >COPY

PIECES is JSON: a list of [offset or null for zeros, length]. KEY_FILE has the volume key of aes-xts-plain64; an empty
word where it is not encrypted. An empty SHA256 is not compared.
Exits with 3 where the sha256 is another one, before anything is printed, and with 1 for any other reason.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from window import Window  # noqa: E402

ALTERED = 3
CHUNK = 1 << 22


def main():
    path, sha256, key_file = sys.argv[1:]
    key = None
    if key_file:
        with open(key_file, 'rb') as file:
            key = file.read()
    window = Window(path, json.load(sys.stdin), key)
    if sha256 and window.sha256() != sha256:
        return ALTERED
    with open(sys.stdout.fileno(), 'wb', buffering=0, closefd=False) as output:
        for at in range(0, window.size, CHUNK):
            data = memoryview(window.read(at, min(CHUNK, window.size - at)))
            while data:
                data = data[output.write(data):]
    return 0


try:
    sys.exit(main())
except OSError as error:
    sys.exit(f'{error.strerror or error}')
