#!/usr/bin/env bash
# Compile the Python of a tree ahead, so that a read-only or slow machine need not do it at every start.
#
# What is compiled already, and belongs to its source, is kept: in a hardened image most is as in the FLARE image.
#
# Parameters:
#   --tree DIR           the tree to change
#   --folder NAME...     an absolute path in the guest; the standard library is compiled as well
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
folder+=("$(in_tree "$tree" python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')")
cp -- "$scripts_dir/lib/compile-python.py" "$tree/tmp/compile-python.py"
log "$(in_tree "$tree" python3 -B /tmp/compile-python.py "${folder[@]}")"
find "${folder[@]/#/$tree}" -name '*.pyc' -exec touch --date "@$source_date_epoch" {} +
find "${folder[@]/#/$tree}" -newermt "@$source_date_epoch" -exec touch --no-dereference --date "@$source_date_epoch" {} +
