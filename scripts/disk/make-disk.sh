#!/usr/bin/env bash
# Make an empty qcow2 disk with a partition table.
#
# Parameters:
#   --output PATH       the qcow2 to make
#   --table FILE        the partition table as an sfdisk script; its last-lba says how large the disk is
#   [--reserve TEXT]... NAME=FILE: the partition NAME gets room for what is in FILE, so that it can be written there
#                       without qemu
#   [--shared TEXT]     a raw file that shows through where nothing is written, by its path from the disk's folder
# Runs in: host
# Network: no
# Output: the qcow2

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/table.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/table.sh"
step "$@"
need sfdisk qemu-img

last=$(sed -n 's/^last-lba: //p' "$table")
[[ $last =~ ^[0-9]+$ ]] || die E_STEP_ARGUMENT "--table: $table has no last-lba"
# Behind the last usable sector lie the 33 of the backup table.
size=$(((last + 34) * 512))

raw=$(mktemp -- "$output.XXXXXX")
trap 'rm -f -- "$raw" "$raw.room" "$output.partial"' EXIT
truncate -s "$size" "$raw"
message=$(sfdisk --quiet --no-reread --no-tell-kernel "$raw" <"$table" 2>&1) || die E_STEP_FAILED "sfdisk: $message"

qemu() { message=$(qemu-img "$@" 2>&1) || die E_STEP_FAILED "qemu-img $1: $message"; }
# qemu-img sets room aside only at the end of a disk, so the disk grows from one partition to the next.
qemu create -q -f qcow2 "$output.partial" 1M
for word in "${reserve[@]}"; do
	place=$(table_place "$table" "${word%%=*}")
	printf '%s %s\n' "${place% *}" $((${place% *} + $(stat -c %s -- "${word#*=}")))
done | sort -n >"$raw.room"
while read -r start end; do
	qemu resize -q -f qcow2 "$output.partial" "$start"
	qemu resize -q -f qcow2 --preallocation metadata "$output.partial" "$end"
done <"$raw.room"
qemu resize -q -f qcow2 "$output.partial" "$size"
qemu convert -n --target-is-zero -f raw -O qcow2 "$raw" "$output.partial"
# Only its name is written down: room is set aside in a disk only that leans on nothing.
[[ -z $shared ]] || qemu rebase -u -f qcow2 -F raw -b "$shared" "$output.partial"
mv -- "$output.partial" "$output"
