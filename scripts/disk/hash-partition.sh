#!/usr/bin/env bash
# Tell the sha256 of the content of one partition in a qcow2 disk, read where it lies: no copy of it is made.
#
# Parameters:
#   --disk FILE       the qcow2
#   --offset SIZE     where the content begins, in bytes
#   --size SIZE       how long it is, in bytes
#   --scratch DIR     a folder with room for the content, where it does not lie there as it is: a compressed qcow2
# Runs in: host
# Network: no
# Output: standard output: the sha256

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
step "$@"
need qemu-img python3

# Neither has a name, so that nothing is left however this ends.
pieces=$(mktemp -- "$scratch/.pieces.XXXXXX")
exec {pieces_fd}<>"$pieces"
rm -- "$pieces"
pieces=/proc/self/fd/$pieces_fd

file=$disk
if ! qcow2_pieces "$disk" "$offset" "$size" >"$pieces"; then
	copy=$(mktemp -- "$scratch/.content.XXXXXX")
	exec {copy_fd}<>"$copy"
	rm -- "$copy"
	file=/proc/self/fd/$copy_fd
	qcow2_read "$disk" "$offset" "$size" "$file"
	printf '[[0, %s]]\n' "$size" >"$pieces"
fi
python3 -B "$scripts_dir/lib/hash-pieces.py" "$file" "$pieces" ||
	die E_IMAGE "$disk cannot be read" "it may be damaged"
