#!/bin/sh
# network.sh: host names and resolvers of this site, before the network is there.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

for pair in $(site hosts); do
	name=${pair%%=*} address=${pair#*=}
	printf '%s %s\n' "$address" "$name" >>"$R/etc/hosts" || fail "network: /etc/hosts cannot be written"
done

# Configured resolvers are the only ones; those that DHCP names are then not asked.
resolvers=$(site resolvers)
if [ -n "$resolvers" ]; then
	mkdir -p "$R/run/systemd/resolved.conf.d" "$R/run/systemd/network/80-cc.network.d"
	printf '[Resolve]\nDNS=%s\n' "$resolvers" >"$R/run/systemd/resolved.conf.d/cc.conf" ||
		fail "network: the resolvers cannot be set"
	printf '[DHCPv4]\nUseDNS=no\n[DHCPv6]\nUseDNS=no\n[IPv6AcceptRA]\nUseDNS=no\n' \
		>"$R/run/systemd/network/80-cc.network.d/cc.conf" || fail "network: the resolvers cannot be set"
fi
fulfilled network
