#!/usr/bin/env bash
# Let the last partition of a qcow2 disk end with the disk, and put the second copy of the table there.
#
# Identifiers, types, attributes and the other partitions stay as they are. The second copy is written first; the
# first one, which counts, by one write: a disk whose writing is cut off at any moment has a whole table, the old one
# or the new one.
#
# Parameters:
#   --disk FILE   the qcow2
#   --size SIZE   of the disk as a guest sees it, in bytes
#   --name NAME   the partition to grow; none lies behind it
# Runs in: host
# Network: no
# Output: the qcow2

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
# shellcheck source=../lib/gpt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/gpt.sh"
step "$@"
need qemu-img sfdisk

gpt_view "$disk" "$size"
table=$(sfdisk --dump "$gpt_view" 2>/dev/null) || die E_IMAGE "$disk has no partition table"
read -r number start < <(sed -nE "s/^[^ ]*p([0-9]+) : start= *([0-9]+), .*name=\"$name\".*/\1 \2/p" <<<"$table") ||
	die E_IMAGE "$disk has no partition '$name'"
# The partition ends on a whole MiB, as it began: dm-crypt refuses what is no multiple of its sectors of 4096 bytes.
gpt_grow "$number" $(((size - 1048576) / 512 - start))

for offset in $((size - gpt_bytes)) 0; do
	gpt_copy "$(gpt_window "$offset")" "$(qcow2_window "$disk" "$offset" "$gpt_bytes")"
done
