#!/usr/bin/env bash
# Copy the content of an ext4 file system into a new tree: the inverse of make-filesystem.sh.
#
# Parameters:
#   --filesystem FILE   the ext4 file system
#   --tree PATH         the tree to make
# Runs in: namespace
# Network: no
# Output: the tree, with owners, modes, times, links, extended attributes and capabilities

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/archive.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/archive.sh"
step "$@"
need fuse2fs tar

parent=$(dirname -- "$tree")
stamp=$(stat -c %.Y -- "$parent")
rm -rf -- "$tree.partial"
mkdir -- "$tree.partial"
mount -t tmpfs tmpfs /mnt
# fakeroot: the kernel checks permissions against the caller, who is root in here but not on the host. Nothing changes
# below, so whatever the kernel has seen once it may keep.
options=ro,fakeroot,kernel_cache,attr_timeout=3600,entry_timeout=3600,negative_timeout=3600
if ! message=$(fuse2fs -o "$options" "$filesystem" /mnt 2>&1) || ! mountpoint -q /mnt; then
	die E_IMAGE "$filesystem cannot be opened as ext4: $message" "the image may be damaged; /dev/fuse must be open to all"
fi
# mkfs makes lost+found; it is not of the tree.
archive_create /mnt --exclude=./lost+found | archive_extract "$tree.partial"
umount /mnt

# The folder that a partition is filled from stays in the root file system, empty. Its parent keeps its time stamp.
[[ ! -d $tree ]] || rmdir -- "$tree" || die E_STEP_ARGUMENT "--tree: $tree is not empty"
mv -- "$tree.partial" "$tree"
touch --date "@$stamp" -- "$parent"
