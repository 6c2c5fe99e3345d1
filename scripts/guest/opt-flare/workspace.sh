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
for folder in "$workspace" "$workspace/applog" "$workspace/transfer"; do
	install -d -m 0750 -o "$user" -g "$group" "$folder" || fail "workspace: ${folder#"$R"} cannot be made"
done
for folder in startup local; do
	# A link would lead the kit elsewhere.
	[ ! -L "$workspace/$folder" ] || rm -f "$workspace/$folder"
	install -d -m 0750 -o root -g "$group" "$workspace/$folder" || fail "workspace: $folder cannot be made"
done
rm -f "$workspace"/*.fl
if [ "$(recall log)" = disk-plain ]; then
	install -d -m 0755 -o "$user" -g "$group" "$R/mnt/data/nvflare/log/applog" || fail "workspace: the log disk cannot be written"
fi
