#!/usr/bin/env bash
# Unpack an ext4 file system into a new tree: the inverse of make-filesystem.sh. It is not mounted.
#
# Parameters:
#   --filesystem FILE   the ext4 file system
#   --tree PATH         the tree to make
# Runs in: namespace
# Network: no
# Output: the tree, with owners, modes, times, links, extended attributes, ACLs and capabilities

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/new-tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/new-tree.sh"
# shellcheck source=../lib/ext4.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ext4.sh"
step "$@"
need python3

mount -t tmpfs -o mode=0700 tmpfs /mnt
printf '[[0, %s]]\n' "$(stat -c %s -- "$filesystem")" >/mnt/pieces
ext4_unpack "$filesystem" /mnt/pieces '' '' "$tree" "$filesystem"
