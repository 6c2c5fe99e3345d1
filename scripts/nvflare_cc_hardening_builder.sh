#!/usr/bin/env bash
# Put an application into a FLARE image, and close it to everybody: cc-hardening-builder.
#   nvflare_cc_hardening_builder.sh [CC_SITE_YML] [--role client|server] [--startup-kit DIR]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-hardening-builder "$@"
