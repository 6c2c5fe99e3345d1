#!/usr/bin/env python3
"""Which units of a tree would fail at boot because of what is masked or missing (systemd.unit(5)).

    units.py idle TREE    enabled sockets, timers, paths and automounts that start what is masked or missing
    units.py check TREE   every problem of a unit that is wanted at boot, a line each
    units.py users TREE   services that ask for a user namespace: they fail where the kernel gives none

Only what a folder of units says is looked at: what generators make at boot is not there yet.
"""
import os
import sys

FOLDERS = ["etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"]
PULLS = ["Wants", "Requires", "Requisite", "BindsTo", "Upholds"]
NEEDS = ["Requires", "Requisite", "BindsTo"]
TRIGGERS = {"socket": "service", "timer": "service", "path": "service", "automount": "mount"}
SPECIFIERS = "nNpiI"
# systemd makes these by itself (systemd.special(7)).
BUILT_IN = ("device", "swap", "slice", "scope")


class Tree:
    def __init__(self, root):
        self.root = root
        self.folders = [folder for folder in FOLDERS if os.path.isdir(self.resolve("/" + folder) or "")]
        if not any(os.listdir(os.path.join(root, folder)) for folder in self.folders):
            sys.exit("no unit in %s: not a tree with systemd" % root)

    def resolve(self, path, depth=0):
        """The file of the host behind a path of the tree, its links followed inside the tree; None where there is none."""
        found = self.root
        parts = path.strip("/").split("/")
        for index, part in enumerate(parts):
            if part in ("", "."):
                continue
            found = os.path.join(found, part) if part != ".." else os.path.dirname(found)
            if os.path.islink(found):
                target = os.readlink(found)
                if target == "/dev/null":
                    return "/dev/null"
                if depth > 40:
                    return None
                if not target.startswith("/"):
                    target = os.path.join(os.path.dirname(found)[len(self.root):], target)
                return self.resolve("/".join([os.path.normpath(target)] + parts[index + 1:]), depth + 1)
        return found if os.path.exists(found) else None

    def file(self, unit):
        """The file of a unit: its own, or that of its template; /dev/null where it is masked; None where there is none."""
        name, _, kind = unit.rpartition(".")
        names = [unit] + ([name.split("@", 1)[0] + "@." + kind] if "@" in name else [])
        for candidate in names:
            for folder in self.folders:
                path = os.path.join(self.root, folder, candidate)
                if os.path.lexists(path):
                    found = self.resolve("/%s/%s" % (folder, candidate))
                    # An empty file masks, too.
                    return "/dev/null" if found and found != "/dev/null" and os.path.getsize(found) == 0 else found
        return None

    def masked(self, unit):
        return self.file(unit) == "/dev/null"

    def settings(self, unit):
        """What the unit and its drop-ins say, as {key: [value, ...]}; an empty value forgets those before."""
        name, _, kind = unit.rpartition(".")
        said = {}
        files = [self.file(unit)]
        owners = [unit, name.split("@", 1)[0] + "@." + kind] if "@" in name else [unit]
        for folder in reversed(self.folders):
            for owner in owners:
                drop = os.path.join(self.root, folder, owner + ".d")
                if os.path.isdir(drop):
                    names = sorted(n for n in os.listdir(drop) if n.endswith(".conf"))
                    files += [self.resolve("/%s/%s.d/%s" % (folder, owner, n)) for n in names]
        for file in files:
            if not file or file == "/dev/null" or not os.path.isfile(file):
                continue
            with open(file, encoding="utf-8", errors="surrogateescape") as text:
                for line in text.read().replace("\\\n", " ").splitlines():
                    line = line.strip()
                    key, equals, value = line.partition("=")
                    if not equals or line[0] in "#;[":
                        continue
                    value = expand(value.strip(), unit)
                    said[key.strip()] = said.get(key.strip(), []) + [value] if value else []
        return said

    def links(self, unit, ending):
        """What the folders UNIT.wants and UNIT.requires pull in."""
        pulled = []
        for folder in self.folders:
            path = os.path.join(self.root, folder, unit + ending)
            if os.path.isdir(path):
                pulled += sorted(os.listdir(path))
        return pulled


def expand(value, unit):
    name = unit.rpartition(".")[0]
    prefix, _, instance = name.partition("@")
    for letter, text in zip(SPECIFIERS, (unit, name, prefix, instance, instance)):
        value = value.replace("%" + letter, text)
    return value


def words(said, *keys):
    return [word for key in keys for value in said.get(key, []) for word in value.split()]


def started_by(unit, said):
    """The unit that a socket, timer, path or automount starts; None for another kind."""
    name, _, kind = unit.rpartition(".")
    if kind not in TRIGGERS:
        return None
    # The last word counts.
    named = words(said, "Service" if kind == "socket" else "Unit")
    if named:
        return named[-1]
    if kind == "socket" and (said.get("Accept") or ["no"])[-1] in ("yes", "true", "1", "on"):
        return name.split("@", 1)[0] + "@.service"
    return name + "." + TRIGGERS[kind]


def at_boot(tree):
    """Every unit that a boot pulls in, with its settings."""
    found = {}
    queue = ["default.target", "sysinit.target", "basic.target", "multi-user.target"]
    while queue:
        unit = queue.pop()
        if unit in found or tree.file(unit) in (None, "/dev/null"):
            continue
        said = found[unit] = tree.settings(unit)
        queue += words(said, *PULLS) + tree.links(unit, ".wants") + tree.links(unit, ".requires")
    return found


def why_not(tree, unit):
    file = tree.file(unit)
    return "is masked" if file == "/dev/null" else "does not exist" if file is None else None


def idle(tree, units):
    for unit, said in sorted(units.items()):
        target = started_by(unit, said)
        reason = target and why_not(tree, target)
        if reason:
            yield unit, "%s starts %s, which %s" % (unit, target, reason)


def check(tree, units):
    yield from (text for _, text in idle(tree, units))
    for unit, said in sorted(units.items()):
        for other in words(said, *NEEDS) + tree.links(unit, ".requires"):
            reason = None if other.rpartition(".")[2] in BUILT_IN else why_not(tree, other)
            # systemd makes a mount unit of its own for each line of fstab.
            if reason and not (reason == "does not exist" and other.endswith(".mount")):
                yield "%s needs %s, which %s" % (unit, other, reason)
        if any(key.startswith(("Condition", "Assert")) for key in said):
            continue
        for command in said.get("ExecStart", []):
            program = command.split()[0].lstrip("@:+!|")
            # A minus in front: its failure does not count.
            if program.startswith("/") and "$" not in program and "%" not in program and tree.resolve(program) is None:
                yield "%s starts %s, which does not exist" % (unit, program)


def services(tree):
    """Every service of the tree that is not masked, also those that nothing wants yet; templates by their own name."""
    names = {name for folder in tree.folders for name in os.listdir(os.path.join(tree.root, folder))}
    return sorted(name for name in names if name.endswith(".service") and tree.file(name) not in (None, "/dev/null"))


def users(tree):
    for unit in services(tree):
        value = (tree.settings(unit).get("PrivateUsers") or ["no"])[-1]
        if value.lower() not in ("no", "false", "0", "off", "n", "f"):
            yield unit


def main(mode, root):
    tree = Tree(os.path.realpath(root))
    if mode == "users":
        for unit in users(tree):
            print(unit)
        return
    units = at_boot(tree)
    if not units:
        sys.exit("no unit is wanted at boot in %s" % root)
    for line in (name for name, _ in idle(tree, units)) if mode == "idle" else check(tree, units):
        print(line)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("idle", "check", "users"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
