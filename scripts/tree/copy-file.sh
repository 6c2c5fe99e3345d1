#!/usr/bin/env bash
# Copy one file out of a tree, for the host to read.
#
# Parameters:
#   --tree DIR      the tree
#   --path PATH     the file, as a path in the guest; links are followed inside the tree
#   --output PATH   the copy
#   [--private FLAG]   it is a secret: for its owner only
# Runs in: namespace
# Network: no
# Output: the copy, mode 0644 or 0600

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

[[ -z $private ]] || umask 077
# chroot: a link of the tree must not lead out of it.
chroot "$tree" cat -- "$path" >"$output.partial" || die E_IMAGE "the tree has no file $path"
mv -- "$output.partial" "$output"
