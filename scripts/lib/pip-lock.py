#!/usr/bin/env python3
"""pip-lock.py [BEFORE] <REPORT >LOCK: what pip installed, from its --report (pip.pypa.io/en/stable/reference/installation-report).

One object per package with its name, version, sha256 and the file name of the archive, sorted by name. Addresses are
left out: they may hold credentials, and they name mirrors of one site. BEFORE is the lock of what was there already;
what was installed now replaces the package of the same name in it. Another FLARE than the one in it is refused: what
starts FLARE in the image belongs to that version.
"""
import json
import posixpath
import re
import sys
import urllib.parse


def key(package):
    """The normalised name: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", package["name"]).lower()


def flare(packages):
    return sorted(f"{package['name']} {package['version']}"
                  for name, package in packages.items() if re.fullmatch("nvflare(-.*)?", name))


packages = {}
if len(sys.argv) > 1:
    with open(sys.argv[1], encoding="utf-8") as before:
        packages = {key(package): package for package in json.load(before)}
before = flare(packages)
for item in json.load(sys.stdin)["install"]:
    source = item.get("download_info", {})
    package = {
        "name": item["metadata"]["name"],
        "version": item["metadata"]["version"],
        "sha256": source.get("archive_info", {}).get("hashes", {}).get("sha256"),
        "file": posixpath.basename(urllib.parse.urlparse(source.get("url", "")).path),
        "requested": item.get("requested", False),
    }
    packages[key(package)] = package
if before and flare(packages) != before:
    after = ", ".join(flare(packages))
    sys.exit(f"the requirements replace the FLARE of the image, {', '.join(before)}, by {after}")
json.dump(sorted(packages.values(), key=lambda package: package["name"].lower()), sys.stdout, indent=1)
print()
