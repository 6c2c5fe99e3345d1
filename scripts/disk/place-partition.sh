#!/usr/bin/env bash
# Write the content of one partition into a qcow2 disk, encrypted where it has a header. Otherwise blocks of zeros take
# no room.
#
# cryptsetup has made header and volume key, OpenSSL encrypts, on the way: no encrypted copy is made beside the disk.
#
# Parameters:
#   --disk FILE         the qcow2
#   --table FILE        the partition table it was made with
#   --name NAME         the partition, by its name in the table
#   --content FILE      what the partition holds; not longer than the partition; it is not changed
#   [--header FILE]     its LUKS2 header; the disk was made with --reserve for this partition
#   [--key-file FILE]   the key, with --header
# Runs in: namespace
# Network: no
# Output: the qcow2; standard output: the sha256 of the content as it lies on the disk

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/table.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/table.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
step "$@"
need qemu-img openssl

place=$(table_place "$table" "$name")
start=${place% *} size=${place#* }
length=$(stat -c %s -- "$content")
((length <= size)) || die E_SIZE "$name holds $size bytes, its content has $length"

if [[ -n $header ]]; then
	luks_open_offline "$header" "$key_file"
	qcow2_room "$disk" "$start" "$length" >/mnt/room ||
		die E_STEP_ARGUMENT "$disk has no room set aside for $name" "make the disk with --reserve $name=FILE"
	luks_encrypt "$content" "$disk"
	exit 0
fi

# A core reads for the hash while another one writes.
exec {hash}< <(openssl dgst -sha256 -r -- "$content")
# The target is the part of the partition that the content fills: convert wants both of one size.
message=$(qemu-img convert -n -W -f raw --target-image-opts "$content" "$(qcow2_window "$disk" "$start" "$length")" 2>&1) ||
	write_failed qemu-img "$message" "$disk"
read -r sha256 _ <&"$hash" || die E_STEP_FAILED "openssl has no hash of $content"
printf '%s\n' "$sha256"
