#!/usr/bin/env bash
# List the packages that are installed in a tree.
#
# Parameters:
#   --tree DIR   the tree
# Runs in: namespace
# Network: no
# Output: standard output: a line "NAME VERSION ARCHITECTURE" for each package, sorted

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need dpkg-query

# shellcheck disable=SC2016 # dpkg's own variables, not the shell's
dpkg-query --admindir="$tree/var/lib/dpkg" -W -f '${binary:Package} ${Version} ${Architecture}\n' | sort
