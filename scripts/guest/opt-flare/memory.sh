#!/bin/sh
# memory.sh: what is in memory stays there: no swap, temporary files on tmpfs, no core files.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

[ "$(wc -l <"$R/proc/swaps")" -le 1 ] || fail "memory: swap is on"
for path in /tmp /var/tmp /dev/shm; do
	type=
	while read -r _ target kind _; do
		[ "$target" != "$path" ] || type=$kind
	done <"$R/proc/mounts"
	[ "$type" = tmpfs ] || fail "memory: $path is not in memory but '$type'"
done
for program in swapon mkswap; do
	for folder in sbin usr/sbin; do
		[ ! -e "$R/$folder/$program" ] || fail "memory: there is a program /$folder/$program"
	done
done
read -r pattern <"$R/proc/sys/kernel/core_pattern"
[ "$pattern" = '|/bin/false' ] || fail "memory: core files go to '$pattern'"
fulfilled memory
