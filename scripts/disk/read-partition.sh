#!/usr/bin/env bash
# Read the content of one partition out of a qcow2 disk: the inverse of place-partition.sh.
#
# Parameters:
#   --disk FILE       the qcow2
#   --output PATH     the file to make
#   --offset SIZE     where to begin, in bytes
#   --size SIZE       how much to read, in bytes
# Runs in: host
# Network: no
# Output: the file

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
step "$@"
need qemu-img

message=$(qemu-img convert -O raw --image-opts \
	"$(qcow2_window "$disk" "$offset" "$size")" "$output.partial" 2>&1) || {
	rm -f -- "$output.partial"
	[[ $message != *'No space left'* ]] || die E_SPACE "no space left while reading $disk" "free some space"
	die E_IMAGE "$disk cannot be read: $message" "it may be damaged, or not be a qcow2"
}
mv -- "$output.partial" "$output"
