#!/usr/bin/env bash
# List the files of a tree that belong to no package, and that nothing else is known to make.
#
# Parameters:
#   --tree DIR     the tree
#   --known FILE   what else makes files: lines of a pattern and of words, as scripts/lib/generated.txt
# Runs in: namespace
# Network: no
# Output: standard output: a line for each, "program PATH" for what can be run and "file PATH" for the rest

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need python3

python3 -I -B "$(dirname -- "${BASH_SOURCE[0]}")/unowned.py" "$tree" "$known"
