#!/usr/bin/env bash
# Read the partition table of a qcow2 disk, and nothing else of it.
#
# Parameters:
#   --disk FILE   the qcow2
#   --size SIZE   of the disk as a guest sees it, in bytes
# Runs in: host
# Network: no
# Output: standard output: the JSON of sfdisk

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
# shellcheck source=../lib/gpt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/gpt.sh"
step "$@"
need qemu-img sfdisk

gpt_view "$disk" "$size"
sfdisk --json "$gpt_view" 2>/dev/null || die E_IMAGE "$disk has no partition table"
