#!/usr/bin/env bash
# Add NVIDIA FLARE to a base image: nvflare-cc-builder.
#   nvflare_cc_builder.sh [--image DIR|QCOW2] [--size 10G]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-flare-builder "$@"
