#!/usr/bin/env bash
# Prove that an image grows: cc-image-test resize, on a copy of it.
#   test_resize.sh --image DIR [--json]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-image-test resize "$@"
