#!/usr/bin/env bash
# Make the folders of a tree at which partitions are mounted, and those from which partitions are filled.
#
# Parameters:
#   --tree DIR            the tree to change
#   [--folder NAME]...    an absolute path in the guest
# Runs in: namespace
# Network: no
# Output: the folders, owned by root, mode 0755

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

for path in "${folder[@]}"; do
	mkdir -p -- "$tree$path"
done
