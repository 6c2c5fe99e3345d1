#!/bin/sh
# workspace.sh USER GROUP: the workspace of FLARE on the encrypted partition, with the folders at which the start-up kit
# of cc-ro appears, read-only. What FLARE wrote at an earlier boot stays.

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
for folder in "$workspace" "${workspace%/*}/applog"; do
	install -d -m 0750 -o "$user" -g "$group" "$folder" || fail "workspace: ${folder#"$R"} cannot be made"
done
# In a folder of FLARE root follows no link, which a job may have left there for the next boot.
for folder in transfer startup local; do
	owner=root
	[ "$folder" != transfer ] || owner=$user
	{ [ -d "$workspace/$folder" ] && [ ! -L "$workspace/$folder" ]; } || rm -f "$workspace/$folder"
	install -d -m 0750 -o "$owner" -g "$group" "$workspace/$folder" || fail "workspace: $folder cannot be made"
done
rm -f "$workspace"/*.fl
