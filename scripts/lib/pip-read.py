#!/usr/bin/env python3
"""pip-read.py PIP <REQUEST: what pip would read of this host, as JSON. PIP is the wheel of pip, whose parser is used.

REQUEST is JSON: `file` a requirements file, or null for `lines`, which messages call `title`; `installed` versions by
name that must stay. Nothing is downloaded, and no package is built.
"""
import json
import os
import sys
import urllib.parse

# The scripts are part of every content hash: nothing is written beside them.
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))

import pip_lines  # noqa: E402
from pip._internal.configuration import Configuration  # noqa: E402
from pip._internal.exceptions import PipError  # noqa: E402
from pip._internal.req import req_file  # noqa: E402
from pip._internal.req.constructors import install_req_from_line  # noqa: E402
from pip._vendor.packaging.utils import canonicalize_name  # noqa: E402

# Settings of pip that say how packages are reached, and the names that they have besides.
TAKEN = {
    "index-url": "index-url", "pypi-url": "index-url", "extra-index-url": "extra-index-url", "no-index": "no-index",
    "find-links": "find-links", "trusted-host": "trusted-host", "proxy": "proxy", "cert": "cert",
    "client-cert": "client-cert", "timeout": "timeout", "default-timeout": "timeout", "retries": "retries",
}
LISTS = ("extra-index-url", "find-links", "trusted-host")
# Settings that change nothing in what is installed, or nothing in an image.
IDLE = {
    "disable-pip-version-check", "no-python-version-warning", "no-color", "progress-bar", "quiet", "verbose", "log",
    "no-input", "require-virtualenv", "break-system-packages", "root-user-action", "no-warn-script-location",
    "cache-dir", "no-cache-dir", "user", "no-warn-conflicts", "config-file", "keyring-provider", "exists-action",
}


class Refused(Exception):
    def __init__(self, message, *hints, code="E_PACKAGE"):
        super().__init__(message)
        self.error = {"code": code, "message": message, "hints": hints}


class Reader(req_file.RequirementsFileParser):
    """pip's own traversal of the files, which notes what it comes by."""

    def __init__(self, installed, texts):
        super().__init__(None, req_file.get_line_parser(None))
        self.installed, self.texts = installed, texts
        original = req_file.get_file_content
        req_file.get_file_content = lambda name, session: (
            (name, texts[name]) if name in texts else original(name, session))
        self.last = None
        self.files, self.archives, self.folders, self.projects, self.remote = [], [], [], [], []
        self.notes, self.credentials = [], False

    def _parse_file(self, filename, constraint):
        if filename.lower().startswith(("http://", "https://")):
            self.remote.append(filename)
            return
        try:
            path = filename if filename in self.texts else local_path(filename)
        except ValueError as error:
            raise Refused(f"{self.where()}{error}", "write an absolute file:///… or a path") from error
        if path not in self.texts:
            if not os.path.isfile(path):
                raise self.missing(path)
            self.files.append(path)
        try:
            for line in super()._parse_file(filename, constraint):
                self.last = line
                yield line
        except UnicodeError as error:
            raise Refused(
                f"'{path}' cannot be read as text: {error}",
                "save it as UTF-8, or name its encoding in its first line: # -*- coding: latin-1 -*-",
            ) from error
        except LookupError as error:
            raise Refused(f"'{path}' names an encoding that there is not: {error}", "save it as UTF-8") from error
        except (PipError, ValueError) as error:
            raise Refused(f"{path}: {error}") from error

    def where(self):
        return "" if self.last is None else f"{self.last.filename}, line {self.last.lineno}: "

    def missing(self, path):
        return Refused(
            f"{self.where()}there is no '{path}'",
            "check the path; what is relative is relative to the folder of the requirements file",
        )

    def read(self, filename):
        for line in self.parse(filename, False):
            try:
                self.take(line)
            except (PipError, ValueError) as error:
                hint = "write an absolute file:///… or a path" if "file URI" in str(error) else ""
                raise Refused(self.where() + str(error).replace("\n", " "), *filter(None, [hint])) from error

    def take(self, line):
        if line.requirement is None:
            self.take_options(line)
            return
        text = line.requirement
        if line.is_editable:
            text = pip_lines.plain(text)
            self.notes.append(f"{self.where()}'-e {line.requirement}' is installed without -e: "
                              "the image has no source folder")
        requirement = install_req_from_line(text, constraint=line.constraint)
        link = requirement.link
        if link is None:
            self.compare(requirement)
            return
        self.look_at_url(link.url)
        if not link.is_file:
            return
        path = os.path.normpath(os.path.abspath(link.file_path))
        if os.path.isdir(path):
            self.projects.append(path)
        elif os.path.isfile(path):
            self.archives.append(path)
        elif requirement.markers is None:
            raise self.missing(path)

    def take_options(self, line):
        opts = line.opts
        for url in (opts.extra_index_urls or []) + ([opts.index_url] if opts.index_url else []):
            self.look_at_url(url)
        links = opts.find_links or []
        if len(links) > 1:
            raise Refused(f"{self.where()}pip takes only the first --find-links of a line, got {links}",
                          "write each on a line of its own")
        for value in links:
            beside = os.path.join(os.path.dirname(os.path.abspath(line.filename)), value)
            path = find_links_path(beside if os.path.exists(beside) else value)
            if path is None:
                self.look_at_url(value)
            elif os.path.isdir(path):
                self.folders.append(path)
            elif os.path.isfile(path):
                self.archives.append(path)
            else:
                raise self.missing(path)

    def look_at_url(self, url):
        parts = urllib.parse.urlsplit(url)
        self.credentials = self.credentials or "@" in parts.netloc or bool(parts.query)

    def compare(self, requirement):
        version = self.installed.get(canonicalize_name(requirement.name or ""))
        if version is None or requirement.req.specifier.contains(version, prereleases=True):
            return
        if requirement.markers is not None and not requirement.match_markers():
            return
        raise Refused(
            f"{self.where()}'{requirement.req}' is another version than the one of the image: "
            f"{requirement.name} {version}",
            f"ask for {requirement.name}=={version}, or leave it out",
            "build the FLARE image with the other version: flare.requirements",
        )


def local_path(text):
    """A path or a file: URL as an absolute path."""
    if not text.lower().startswith("file:"):
        return os.path.abspath(text)
    parts = urllib.parse.urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"non-local file URIs are not supported: '{text}'")
    return os.path.abspath(urllib.parse.unquote(parts.path))


def find_links_path(text):
    """The path that find-links names; None for a URL."""
    if "://" in text and not text.lower().startswith("file:"):
        return None
    return local_path(os.path.expanduser(text))


def settings():
    """What pip is configured for on this host: files of the system and of the user, and PIP_*."""
    configuration = Configuration(isolated=False)
    configuration.load()
    values = {}
    for section in ("global", "install", ":env:"):
        for _, entries in configuration.items():
            for key, value in entries.items():
                part, name = key.split(".", 1)
                if part == section and value:
                    values[name] = value
    taken, ignored = {}, []
    for name, value in values.items():
        if name in TAKEN:
            taken[TAKEN[name]] = value.split() if TAKEN[name] in LISTS else value.strip()
        elif name not in IDLE:
            ignored.append(name)
    if "no-index" in taken:
        taken["no-index"] = taken["no-index"].lower() in ("1", "true", "yes", "on", "y", "t")
    links = taken.pop("find-links", [])
    taken["find-links"] = [path for path in map(find_links_path, links) if path is not None]
    taken["find-links-url"] = [link for link in links if find_links_path(link) is None]
    return {"taken": {name: value for name, value in taken.items() if value}, "ignored": sorted(ignored)}


def answer(request):
    used = set()
    pip_lines.use_variables(os.environ, used)
    title = request["title"]
    installed = {canonicalize_name(name): version for name, version in request["installed"].items()}
    reader = Reader(installed, {title: "\n".join(request["lines"])})
    if request["file"] is None:
        os.chdir("/")
        reader.read(title)
    else:
        # What is relative in the file is relative to its folder.
        os.chdir(os.path.dirname(request["file"]))
        reader.read(request["file"])
    result = {
        name: sorted(set(getattr(reader, name))) for name in ("files", "archives", "folders", "projects", "remote")
    }
    return {
        **result, "notes": reader.notes, "variables": sorted(used), "credentials": reader.credentials,
        "settings": settings(),
    }


try:
    print(json.dumps(answer(json.load(sys.stdin))))
except Refused as refused:
    print(json.dumps({"error": refused.error}))
except (PipError, OSError, ValueError) as error:
    print(json.dumps({"error": {"code": "E_PACKAGE", "message": str(error), "hints": []}}))
