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

trap 'rm -f -- "$output.partial"' EXIT
qcow2_read "$disk" "$offset" "$size" "$output.partial"
mv -- "$output.partial" "$output"
