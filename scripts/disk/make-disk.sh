#!/usr/bin/env bash
# Make an empty qcow2 disk with a partition table.
#
# Parameters:
#   --output PATH   the qcow2 to make
#   --table FILE    the partition table as an sfdisk script; its last-lba says how large the disk is
# Runs in: host
# Network: no
# Output: the qcow2

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need sfdisk qemu-img

last=$(sed -n 's/^last-lba: //p' "$table")
[[ $last =~ ^[0-9]+$ ]] || die E_STEP_ARGUMENT "--table: $table has no last-lba"

raw=$(mktemp -- "$output.XXXXXX")
trap 'rm -f -- "$raw" "$output.partial"' EXIT
# Behind the last usable sector lie the 33 of the backup table.
truncate -s $(((last + 34) * 512)) "$raw"
message=$(sfdisk --quiet --no-reread --no-tell-kernel "$raw" <"$table" 2>&1) || die E_STEP_FAILED "sfdisk: $message"
qemu-img convert -f raw -O qcow2 "$raw" "$output.partial"
mv -- "$output.partial" "$output"
