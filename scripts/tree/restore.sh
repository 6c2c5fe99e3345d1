#!/usr/bin/env bash
# Make a tree from the copy that save.sh kept.
#
# Parameters:
#   --archive FILE   the copy
#   --tree PATH      the tree to make; one that is there is replaced
# Runs in: namespace
# Network: no
# Output: the tree

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/archive.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/archive.sh"
step "$@"
need tar

rm -rf -- "$tree" "$tree.partial"
mkdir -p -- "$tree.partial"
archive_extract "$tree.partial" <"$archive" || die E_SPACE "the tree cannot be restored to $tree" "free some space"
mv -- "$tree.partial" "$tree"
