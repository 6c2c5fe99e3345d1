#!/usr/bin/env python3
"""Print the sha256 of PIECES of a file behind one another: hash-pieces.py FILE PIECES.

PIECES is a file of JSON: a list of [offset or null for zeros, length].
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from window import Window  # noqa: E402

with open(sys.argv[2], encoding='ascii') as file:
    pieces = json.load(file)
try:
    print(Window(sys.argv[1], pieces).sha256())
except OSError as error:
    sys.exit(str(error))
