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
# What systemd binds to other places of FLARE's is below folders that only root may enter. So FLARE cannot put anything else
# in its place, and reaches it only there, where nothing is executed: not every systemd makes other mounts read-only.
bound="${workspace%/*}/bound" places="$R/run/nvflare"
for folder in "$bound" "$places"; do
	install -d -m 0700 "$folder" || fail "workspace: ${folder#"$R"} cannot be made"
done
for folder in "$workspace" "$bound/applog" "$bound/results"; do
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
results="$bound/results"
case $(recall output) in
*-encrypted) results="$R$(site output)" ;;
esac
mkdir -p "$places/results" || fail "workspace: the place of results cannot be made"
mount --bind "$results" "$places/results" || fail "workspace: ${results#"$R"} cannot be the place of results"
