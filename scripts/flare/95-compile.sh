#!/usr/bin/env bash
# Compile the Python of a tree ahead, so that a read-only or slow machine need not do it at every start.
#
# Parameters:
#   --tree DIR           the tree to change
#   --folder NAME...     an absolute path in the guest
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: __pycache__ folders, checked neither by time stamp nor by hash when they are used

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

tree_mounts "$tree"
# Some packages bring files for other versions of Python, which do not compile; they are not used either. Nor are tests
# and what installs packages: Python compiles those in memory, should somebody call them.
in_tree "$tree" python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
	-x '/(tests?|pip|setuptools|pkg_resources)/' "${folder[@]}" >/dev/null 2>&1 || true
find "${folder[@]/#/$tree}" -name '*.pyc' -exec touch --date "@$source_date_epoch" {} +
find "${folder[@]/#/$tree}" -newermt "@$source_date_epoch" -exec touch --no-dereference --date "@$source_date_epoch" {} +
