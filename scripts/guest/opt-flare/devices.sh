#!/bin/sh
# devices.sh: nothing is mounted from a disk but the partitions of boot.conf, which lie behind device-mapper or have
# one of its names.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

CONF="$R/run/cc/boot.conf"
mounts=' '
for name in $(conf_get "$CONF" partitions); do
	mounts="$mounts$(conf_get "$CONF" "$name.mount") "
done
while read -r source target _; do
	case $source in
	/dev/*) ;;
	*) continue ;;
	esac
	case $mounts in
	*" $target "*) continue ;;
	esac
	# The read-only layer below the root.
	[ "$target" != /run/cc/lower ] || continue
	fail "devices: $source is mounted at $target"
done <"$R/proc/mounts"
fulfilled devices
