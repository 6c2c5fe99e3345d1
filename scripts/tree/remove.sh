#!/usr/bin/env bash
# Remove a tree. Its files belong to subordinate ids, so that a plain rm may not.
#
# Parameters:
#   --tree PATH   the tree to remove; nothing happens where there is none
# Runs in: namespace
# Network: no
# Output: nothing is left at PATH

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

rm -rf -- "$tree" "$tree.partial"
