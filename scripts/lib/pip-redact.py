#!/usr/bin/env python3
"""pip-redact.py VARIABLES <LOG >LOG: pip's output without the values in the file VARIABLES: NAME=VALUE, each ended by a NUL.

pip itself hides the password of a URL, but no query, and none that stands elsewhere.
"""
import sys
import urllib.parse

# What everybody may know, and what is too short to be a secret: to replace it would only make the log unreadable.
PUBLIC = {"HOME", "USER", "LOGNAME", "PATH", "PWD", "TMPDIR"}
with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as file:
    pairs = [pair.split("=", 1) for pair in file.read().split("\0") if pair]
values = {value for name, value in pairs if name not in PUBLIC}
# User and password of one URL are one variable; pip names the user alone.
values |= {value.split(":", 1)[1] for value in values if ":" in value}
values |= {urllib.parse.unquote(value) for value in values}
secrets = sorted((value for value in values if len(value) >= 4), key=len, reverse=True)
for line in sys.stdin:
    for secret in secrets:
        line = line.replace(secret, "****")
    print(line, end="", flush=True)
