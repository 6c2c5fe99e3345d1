#!/usr/bin/env python3
"""Where a part of a qcow2 lies in its file: qcow2-pieces.py OFFSET LENGTH [room|shared] <(a line of qemu-img info, of its map).

Prints JSON, a list of [offset in the file or null for zeros, length]. Exits with 1 where not all of it lies there as it
is: qemu-img names no offset for what is compressed, and offsets in other files where there are such. With "room", what
was set aside for it and reads as zeros has an offset, too, and what has none is an error. With "shared", all of it lies in
the raw file below the disk, and offsets are those in that file.
"""
import json
import sys

start, left, word = int(sys.argv[1]), int(sys.argv[2]), ''.join(sys.argv[3:])
info, entries = (json.loads(line) for line in sys.stdin)
extra = info.get('format-specific', {}).get('data', {})
room, depth = word == 'room', int(word == 'shared')
if depth and info.get('backing-filename-format') != 'raw':
    sys.exit(1)
if 'data-file' in extra or info.get('encrypted') or extra.get('encrypt'):
    sys.exit(1)
pieces = []
for entry in sorted(entries, key=lambda item: item['start']):
    if entry['start'] != start or left <= 0:
        sys.exit(1)
    # What is written nowhere reads as zeros, whatever depth it is said to have.
    if entry.get('depth', 0) != depth and (entry.get('data') or not entry.get('zero')):
        sys.exit(1)
    length = min(entry['length'], left)
    offset = entry.get('offset') if entry.get('data') and (room or not entry.get('zero')) else None
    if offset is None and (room or entry.get('data') and not entry.get('zero')):
        sys.exit(1)
    if pieces and offset is not None and pieces[-1][0] is not None and sum(pieces[-1]) == offset:
        pieces[-1][1] += length
    else:
        pieces.append([offset, length])
    start, left = start + length, left - length
if left:
    sys.exit(1)
json.dump(pieces, sys.stdout)
