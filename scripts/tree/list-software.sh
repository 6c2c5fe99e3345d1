#!/usr/bin/env bash
# Describe the software in a tree: packages of the distribution and of Python, with their licences.
#
# Parameters:
#   --tree DIR   the tree
# Runs in: namespace
# Network: no
# Output: standard output: one JSON object with the lists debs and python

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need python3

python3 -I -B "$(dirname -- "${BASH_SOURCE[0]}")/software.py" "$tree"
