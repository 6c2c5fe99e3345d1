#!/usr/bin/env bash
# Keep a copy of a tree, so that a later build can go on from it.
#
# Parameters:
#   --tree DIR      the tree
#   --output PATH   the archive to make
# Runs in: namespace
# Network: no
# Output: the archive

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/archive.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/archive.sh"
step "$@"
need tar

trap 'rm -f -- "$output.partial"' EXIT
archive_create "$tree" >"$output.partial" || die E_SPACE "the tree cannot be saved to $output" "free some space"
mv -- "$output.partial" "$output"
