#!/bin/sh
# resolvers.sh: let the firewall pass questions to the name servers: those of site.conf, else those that DHCP names, as
# systemd-resolved writes them down. Called by firewall.sh, and by cc-resolvers.path whenever that list changes.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

servers=$(site resolvers)
if [ -z "$servers" ] && [ -r "$R/run/systemd/resolve/resolv.conf" ]; then
	while read -r word address _; do
		[ "$word" != nameserver ] || servers="$servers ${address%%%*}"
	done <"$R/run/systemd/resolve/resolv.conf"
fi
commands="flush set inet cc resolvers4
flush set inet cc resolvers6"
for server in $servers; do
	case $server in
	*[!0-9a-fA-F.:]*) continue ;;
	# The stub of resolved itself, and all that is on this machine.
	127.* | ::1) continue ;;
	*:*) set=resolvers6 ;;
	*) set=resolvers4 ;;
	esac
	commands="$commands
add element inet cc $set { $server }"
done
printf '%s\n' "$commands" | nft -f - || fail "firewall: the resolvers '$servers' are refused"
