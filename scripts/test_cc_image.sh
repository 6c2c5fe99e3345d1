#!/usr/bin/env bash
# Prove an image, or say what this host lacks: cc-image-test.
#   test_cc_image.sh base|host [--image DIR]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-image-test "$@"
