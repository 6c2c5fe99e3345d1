#!/usr/bin/env bash
# Grow the disk of an image: cc-resize.
#   resize_cc_image.sh --image DIR|QCOW2 [--size 10G]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-resize "$@"
