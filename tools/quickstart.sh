#!/usr/bin/env bash
# From nothing to a sealed image that booted: set-up, a build from the package mirror of this host, and the report.
#   tools/quickstart.sh [DIR]    where to put the image; ./build by default
set -Eeuo pipefail

repository=$(readlink -f -- "$(dirname -- "${BASH_SOURCE[0]}")/..")
output=$(readlink -m -- "${1:-$repository/build}")
bash "$repository/tools/setup.sh"

node "$repository/packages/cc-image-installer/bin/run.js" --output "$output"
node "$repository/packages/cc-image-test/bin/run.js" base --image "$output/confidential_computing_image" \
	--html "$output/report.html"
printf 'image:  %s\nreport: %s\n' "$output/confidential_computing_image" "$output/report.html"
