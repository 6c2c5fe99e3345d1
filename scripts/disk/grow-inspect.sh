#!/usr/bin/env bash
# Tell what a qcow2 is, without opening what it may refer to: its size, its format, whether it is encrypted.
#
# Parameters:
#   --disk FILE   the qcow2
# Runs in: host
# Network: no
# Output: standard output: the JSON of qemu-img info

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/qcow2.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/qcow2.sh"
# shellcheck source=../lib/gpt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/gpt.sh"
step "$@"
need qemu-img

info=$(qemu-img info -f qcow2 --output json "$disk" 2>&1) || qcow2_failed "$info"
printf '%s\n' "$info"
