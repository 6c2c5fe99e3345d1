#!/bin/sh
# workspace.sh USER GROUP: the workspace of FLARE on the encrypted partition, with the folders at which the start-up kit
# of cc-ro appears, read-only; and the place of results. What FLARE wrote at an earlier boot stays, but for temporary files.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

user=$1 group=$2 workspace="$R$(site workspace)"
mount=$(conf_get "$R/run/cc/boot.conf" cc-app.mount)
mountpoint -q "$R$mount" || fail "workspace: $mount is not a partition"
case $workspace/ in
"$R$mount/"*) ;;
*) fail "workspace: ${workspace#"$R"} is not on cc-app" ;;
esac
# Beside the workspace: FLARE cannot put anything else in its place, and systemd binds it to /applog at each start.
for folder in "$workspace" "${workspace%/*}/applog" "${workspace%/*}/results"; do
	install -d -m 0750 -o "$user" -g "$group" "$folder" || fail "workspace: ${folder#"$R"} cannot be made"
done
# In a folder of FLARE root follows no link, which a job may have left there for the next boot.
rm -rf "$workspace/tmp" || fail "workspace: the temporary files of the last boot cannot be removed"
for folder in transfer tmp startup local; do
	case $folder in
	startup | local) owner=root ;;
	*) owner=$user ;;
	esac
	{ [ -d "$workspace/$folder" ] && [ ! -L "$workspace/$folder" ]; } || rm -f "$workspace/$folder"
	install -d -m 0750 -o "$owner" -g "$group" "$workspace/$folder" || fail "workspace: $folder cannot be made"
done
rm -f "$workspace"/*.fl
# FLARE keeps jobs, their results and its snapshots below /tmp/nvflare, where its own containers have a volume. With an
# encrypted output they go there; the host gets that disk to keep. Root touches nothing below the mount point.
results="${workspace%/*}/results"
case $(recall output) in
*-encrypted) results="$R$(site output)" ;;
esac
mkdir -p "$R/run/nvflare" || fail "workspace: the place of results cannot be made"
mount --bind "$results" "$R/run/nvflare" || fail "workspace: ${results#"$R"} cannot be the place of results"
