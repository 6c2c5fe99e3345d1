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

work=$(mktemp -d -- "$scratch/.hash.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
qcow2_content "$disk" "$offset" "$size" "$work/pieces" "$work"
python3 -B "$scripts_dir/lib/hash-pieces.py" "$qcow2_file" "$work/pieces" ||
	die E_IMAGE "$disk cannot be read" "it may be damaged"
