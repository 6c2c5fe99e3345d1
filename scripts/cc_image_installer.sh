#!/usr/bin/env bash
# Build the base image: cc-image-installer.
#   cc_image_installer.sh [--iso FILE] [--output DIR]    all flags: --help
set -Eeuo pipefail

# shellcheck source=lib/command.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/command.sh"
run_command cc-image-installer "$@"
