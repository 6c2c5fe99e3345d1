#!/usr/bin/env bash
# Prove a FLARE image: cc-image-test flare.
#   test_nvflare_cc_image.sh --image DIR [--json]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-image-test flare "$@"
