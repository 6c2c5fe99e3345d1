#!/usr/bin/env python3
"""find-acls.py FOLDER: print the first three entries below FOLDER that have an access control list, in one line."""
import os
import sys

top = os.fsencode(sys.argv[1])
found = []
for folder, folders, files in os.walk(top):
    for path in [folder] + [os.path.join(folder, name) for name in files]:
        if any(name.startswith('system.posix_acl_') for name in os.listxattr(path, follow_symlinks=False)):
            found.append(ascii(os.fsdecode(path[len(top):] or b'/')))
print(' '.join(sorted(found)[:3]))
