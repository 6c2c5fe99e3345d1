#!/usr/bin/env bash
# Prove a hardened image as an attacker who owns the host: cc-image-test hardened.
#   test_hardened_image.sh --image DIR [--quick] [--html FILE]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-image-test hardened "$@"
