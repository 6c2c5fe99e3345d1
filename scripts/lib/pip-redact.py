#!/usr/bin/env python3
"""pip-redact.py NAME... <LOG >LOG: pip's output without the values of these variables of the environment.

pip itself hides the password of a URL, but no query, and none that stands elsewhere.
"""
import os
import sys
import urllib.parse

# What everybody may know, and what is too short to be a secret: to replace it would only make the log unreadable.
PUBLIC = {"HOME", "USER", "LOGNAME", "PATH", "PWD", "TMPDIR"}
values = {os.environ[name] for name in sys.argv[1:] if name not in PUBLIC}
# User and password of one URL are one variable; pip names the user alone.
values |= {value.split(":", 1)[1] for value in values if ":" in value}
values |= {urllib.parse.unquote(value) for value in values}
secrets = sorted((value for value in values if len(value) >= 4), key=len, reverse=True)
for line in sys.stdin:
    for secret in secrets:
        line = line.replace(secret, "****")
    print(line, end="", flush=True)
