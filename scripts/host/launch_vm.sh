#!/usr/bin/env bash
# Start the machine of this bundle: launch_cc_image.sh with the disks that are beside it. It takes the options of
# launch_cc_image.sh; an option that names another disk wins.

set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
disks=()
[[ ! -e $here/applog.raw ]] || disks+=(--log "$here/applog.raw")
for kind in raw img qcow2; do
	[[ ! -e $here/user_data.$kind ]] || disks+=(--input "$here/user_data.$kind")
	[[ ! -e $here/output.$kind ]] || disks+=(--output "$here/output.$kind")
done
exec "$here/launch_cc_image.sh" "${disks[@]}" "$@"
