"""software.py TREE: the software in a tree, as one JSON object.

debs: what dpkg knows as installed (deb-control(5)), with the licences of its copyright file where that is machine-readable
(https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/). python: distributions with a METADATA file that no
package of dpkg owns (https://packaging.python.org/en/latest/specifications/core-metadata/). Nothing of the tree is run, and
no link is followed out of it.
"""

import email.parser
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest_path import inside  # noqa: E402

FORMAT = "copyright-format/1.0"


def read(tree, path):
    """The text of a guest's file; nothing where there is none."""
    place = inside(tree, path)
    if place is None or not os.path.isfile(place):
        return ""
    with open(place, encoding="utf-8", errors="replace") as file:
        return file.read()


def paragraphs(text):
    """Paragraphs of a control file: fields by name in lower case, without what is continued."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields = {}
        name = None
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if name is not None:
                    fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def licences(tree, name):
    """Short names of the licences of a package's files, or none."""
    text = read(tree, f"/usr/share/doc/{name}/copyright")
    if FORMAT not in text[:500]:
        return []
    found = set()
    for fields in paragraphs(text):
        if "files" in fields and "license" in fields:
            first = fields["license"].split("\n", 1)[0].strip()
            found.update(part.strip() for part in re.split(r"\band\b|,|\bor\b", first) if part.strip())
    return sorted(found)


def debs(tree):
    """Packages that dpkg calls installed."""
    result = []
    for fields in paragraphs(read(tree, "/var/lib/dpkg/status")):
        if not fields.get("status", "").endswith(" installed"):
            continue
        name = fields["package"]
        source = re.match(r"^(\S+)(?: \((.*)\))?$", fields.get("source", name))
        result.append({
            "name": name,
            "version": fields["version"],
            "architecture": fields["architecture"],
            "source": source.group(1) if source else name,
            "sourceVersion": (source.group(2) if source else None) or fields["version"],
            "homepage": fields.get("homepage"),
            "maintainer": fields.get("maintainer"),
            "licenses": licences(tree, name),
        })
    return sorted(result, key=lambda one: (one["name"], one["architecture"]))


def owned(tree):
    """Paths of METADATA files that belong to packages of dpkg."""
    folder = inside(tree, "/var/lib/dpkg/info")
    found = set()
    for name in sorted(os.listdir(folder)) if folder else []:
        if name.endswith(".list") and not os.path.islink(os.path.join(folder, name)):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                found.update(line.rstrip("\n") for line in file if "-info/" in line)
    return found


def python(tree):
    """Distributions of Python that pip has installed."""
    known = owned(tree)
    result = []
    for top in ("opt", "usr", "srv", "home", "var", "local"):
        for folder, names, files in os.walk(os.path.join(tree, top) if not os.path.islink(os.path.join(tree, top)) else ""):
            names.sort()
            metadata = os.path.join(folder, "METADATA")
            if not folder.endswith(".dist-info") or "METADATA" not in files or os.path.islink(metadata):
                continue
            path = "/" + os.path.relpath(folder, tree)
            if f"{path}/METADATA" in known:
                continue
            with open(metadata, encoding="utf-8", errors="replace") as file:
                fields = email.parser.Parser().parse(file, headersonly=True)
            classifiers = [one.split(" :: ")[-1] for one in fields.get_all("Classifier", []) if one.startswith("License ::")]
            licence = fields.get("License-Expression") or (fields.get("License") or "").strip()
            # Some packages have the whole text there.
            words = [licence] if licence and len(licence) < 100 and "\n" not in licence else classifiers
            # The name of the folder has both, whatever is in the file.
            name, _, version = os.path.basename(folder)[: -len(".dist-info")].partition("-")
            result.append({
                "name": fields["Name"] or name,
                "version": fields["Version"] or version or "0",
                "homepage": fields.get("Home-page"),
                "licenses": words,
                "path": path,
            })
    return sorted(result, key=lambda one: (one["name"].lower(), one["path"]))


def main():
    """Describe the tree."""
    tree = sys.argv[1].rstrip("/") or "/"
    json.dump({"version": 1, "debs": debs(tree), "python": python(tree)}, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
