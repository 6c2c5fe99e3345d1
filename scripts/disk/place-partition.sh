#!/usr/bin/env bash
# Write the content of one partition into a qcow2 disk. Blocks of zeros take no room.
#
# Parameters:
#   --disk FILE       the qcow2
#   --table FILE      the partition table it was made with
#   --name NAME       the partition, by its name in the table
#   --content FILE    what the partition holds; not longer than the partition
# Runs in: host
# Network: no
# Output: the qcow2

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
step "$@"
need qemu-img

read -r start size < <(sed -nE "s/^start=([0-9]+), size=([0-9]+), .*name=\"$name\".*/\1 \2/p" "$table") ||
	die E_STEP_ARGUMENT "--name: $table has no partition '$name'"
length=$(stat -c %s -- "$content")
((length <= size * 512)) || die E_SIZE "$name holds $((size * 512)) bytes, its content has $length"

# The target is the part of the partition that the content fills: convert wants both of one size.
message=$(qemu-img convert -n -f raw --target-image-opts "$content" \
	"$(qcow2_window "$disk" $((start * 512)) "$length")" 2>&1) || {
	[[ $message != *'No space left'* ]] || die E_SPACE "no space left while writing $disk" "free some space"
	die E_STEP_FAILED "qemu-img: $message"
}
