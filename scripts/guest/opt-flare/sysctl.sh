#!/bin/sh
# sysctl.sh: set the kernel's switches, and read each of them back. A line of sysctl.conf is `key = value`; with a "-"
# in front, a kernel that does not have the key is fine.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

count=0
while read -r key _ value; do
	case $key in
	'' | '#'*) continue ;;
	-*) optional=1 key=${key#-} ;;
	*) optional='' ;;
	esac
	file="$R/proc/sys/$(printf '%s' "$key" | tr . /)"
	if [ ! -e "$file" ]; then
		[ -n "$optional" ] || fail "sysctl: this kernel has no '$key'"
		continue
	fi
	printf '%s\n' "$value" 2>/dev/null >"$file" || :
	# Not `read`: it asks for one byte after the other, and gets the first alone. Fields are separated by tabs.
	found=$(tr '\t' ' ' <"$file")
	[ "$found" = "$value" ] || fail "sysctl: '$key' is '$found', not '$value'"
	count=$((count + 1))
done <"$R/etc/cc/hardening/sysctl.conf"
remember sysctl "$count"
fulfilled sysctl
