#!/usr/bin/env bash
# Unpack the file system in a partition of a qcow2 disk into a new tree: the inverse of make-filesystem.sh or
# make-squashfs.sh, make-luks-header.sh and place-partition.sh together.
#
# ext4 is read where it lies, and decrypted on the way: no copy of the partition and no decrypted file system is made. Of
# squashfs a decrypted copy is made that has no name, so that nothing is left of it however this ends.
#
# Parameters:
#   --disk FILE         the qcow2
#   --name NAME         the partition, for messages
#   --offset SIZE       where its content begins, in bytes
#   --size SIZE         how long it is, in bytes
#   --sha256 TEXT       of the content as it lies on the disk: another one is refused
#   [--header FILE]     its LUKS2 header; without one it is not encrypted
#   [--key-file FILE]   the key, with --header
#   [--filesystem NAME] ext4, the default, or squashfs
#   --tree PATH         the tree to make
# Runs in: namespace
# Network: no
# Output: the tree, with owners, modes, times, links, extended attributes, ACLs and capabilities

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
# shellcheck source=../lib/new-tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/new-tree.sh"
# shellcheck source=../lib/ext4.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ext4.sh"
# shellcheck source=../lib/squashfs.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/squashfs.sh"
step "$@"
need python3 qemu-img

# What belongs to this run only, in memory: it ends with the namespace.
mount -t tmpfs -o mode=0700 tmpfs /mnt

volume_key=
if [[ -n $header ]]; then
	need cryptsetup
	[[ -n $key_file ]] || die E_STEP_ARGUMENT "--key-file is required with --header"
	check_key_file "$key_file"
	volume_key=/mnt/volume-key
	luks_volume_key "$header" "$key_file" "$volume_key"
fi

qcow2_content "$disk" "$offset" "$size" /mnt/pieces "$(dirname -- "$tree")"
case ${filesystem:-ext4} in
ext4) unpack=ext4_unpack ;;
squashfs) unpack=squashfs_unpack ;;
*) die E_IMAGE "the file system of $name is '$filesystem', not ext4 or squashfs" "use the version that made the image" ;;
esac
"$unpack" "$qcow2_file" /mnt/pieces "$sha256" "$volume_key" "$tree" "$name in $disk"
