#!/usr/bin/env python3
"""pip-lock.py <REPORT >LOCK: what pip installed, from its --report (pip.pypa.io/en/stable/reference/installation-report).

One object per package with its name, version, sha256 and the file name of the archive, sorted by name. Addresses are
left out: they may hold credentials, and they name mirrors of one site.
"""
import json
import posixpath
import sys
import urllib.parse

packages = []
for item in json.load(sys.stdin)["install"]:
    source = item.get("download_info", {})
    packages.append({
        "name": item["metadata"]["name"],
        "version": item["metadata"]["version"],
        "sha256": source.get("archive_info", {}).get("hashes", {}).get("sha256"),
        "file": posixpath.basename(urllib.parse.urlparse(source.get("url", "")).path),
        "requested": item.get("requested", False),
    })
json.dump(sorted(packages, key=lambda package: package["name"].lower()), sys.stdout, indent=1)
print()
