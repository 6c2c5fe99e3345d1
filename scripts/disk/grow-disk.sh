#!/usr/bin/env bash
# Make a qcow2 disk larger, in place: what is added reads as zeros and takes no room.
#
# Parameters:
#   --disk FILE   the qcow2
#   --size SIZE   of the disk to be, in bytes; not less than it has
# Runs in: host
# Network: no
# Output: the qcow2. Its partition table still describes the smaller disk: grow-table.sh comes next

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
# shellcheck source=../lib/gpt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/gpt.sh"
step "$@"
need qemu-img

message=$(qemu-img resize -q -f qcow2 "$disk" "$size" 2>&1) || qcow2_failed "$message"
