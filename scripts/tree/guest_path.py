"""Paths of a guest in its tree, without following a link out of it."""

import os


def inside(tree, path, depth=0):
    """The place of a guest's path in the tree, with links resolved as the guest would; None where there is nothing."""
    place = tree
    parts = [part for part in path.split("/") if part not in ("", ".")]
    while parts:
        part = parts.pop(0)
        if part == "..":
            place = tree if place == tree else os.path.dirname(place)
            continue
        nxt = os.path.join(place, part)
        if os.path.islink(nxt):
            depth += 1
            if depth > 40:
                return None
            target = os.readlink(nxt)
            if target.startswith("/"):
                place = tree
            parts = [one for one in target.split("/") if one not in ("", ".")] + parts
            continue
        place = nxt
    return place if os.path.exists(place) else None
