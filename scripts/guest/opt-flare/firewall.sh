#!/bin/sh
# firewall.sh: what site.conf does not list is dropped, in and out, on IPv4 and IPv6. One transaction: there is no
# moment without rules. A rule opens link-local addresses only where it names them: 169.254.169.254 is the metadata
# service of a cloud, which hands out credentials and user data. resolvers.sh fills the sets of name servers when the
# network names them.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

# link_local NETWORK: whether it has link-local addresses only.
link_local() {
	length=${1##*/}
	case $length in
	'' | *[!0-9]*) return 1 ;;
	esac
	case $1 in
	169.254.*) [ "$length" -ge 16 ] ;;
	[Ff][Ee][89ABab]?:*) [ "$length" -ge 10 ] ;;
	*) return 1 ;;
	esac
}

# rules LIST RULE...: one line of nftables for each PROTOCOL/PORT or PROTOCOL/PORT@NETWORK. The address that the
# network restricts is the other side's. The list link-local has the outbound rules that name such a network, and
# outbound the others.
rules() {
	list=$1
	case $list in
	inbound) address=saddr ;;
	*) address=daddr ;;
	esac
	shift
	for rule in "$@"; do
		protocol=${rule%%/*} rest=${rule#*/}
		port=${rest%%@*} network=''
		[ "$port" = "$rest" ] || network=${rest#*@}
		case $protocol in
		tcp | udp) ;;
		*) fail "firewall: '$rule' is not a rule" ;;
		esac
		case $port in
		'' | *[!0-9]*) fail "firewall: '$rule' is not a rule" ;;
		esac
		case $list in
		link-local) link_local "$network" || continue ;;
		outbound) ! link_local "$network" || continue ;;
		esac
		case $network in
		'') match='' ;;
		*:*) match="ip6 $address $network " ;;
		*) match="ip $address $network " ;;
		esac
		printf '\t\t%s%s dport %s ct state new accept\n' "$match" "$protocol" "$port"
	done
}

# shellcheck disable=SC2046 # one word for each rule
inbound=$(rules inbound $(site inbound)) || exit 1
# shellcheck disable=SC2046
outbound=$(rules outbound $(site outbound)) || exit 1
# shellcheck disable=SC2046
named=$(rules link-local $(site outbound)) || exit 1

ruleset="table inet cc
delete table inet cc
table inet cc {
	set resolvers4 { type ipv4_addr; }
	set resolvers6 { type ipv6_addr; }
	chain input {
		type filter hook input priority filter; policy drop;
		iif lo accept
		ct state invalid drop
		ct state established,related accept
		udp sport 67 udp dport 68 accept
		ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept
$inbound
	}
	chain forward { type filter hook forward priority filter; policy drop; }
	chain output {
		type filter hook output priority filter; policy drop;
		oif lo accept
		ct state invalid drop
		ct state established,related accept
		udp sport 68 udp dport 67 accept
		ip6 daddr { fe80::/10, ff02::1:2 } udp sport 546 udp dport 547 accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
		ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 accept
		ip6 daddr @resolvers6 meta l4proto { tcp, udp } th dport 53 accept
$named
		ip daddr 169.254.0.0/16 drop
		ip6 daddr fe80::/10 drop
$outbound
	}
}"
message=$(printf '%s\n' "$ruleset" | nft -f - 2>&1) || fail "firewall: nft refuses the rules: $(printf '%s' "$message" | head -n 1)"
"$R/opt/flare/scripts/resolvers.sh" || fail "firewall: the resolvers cannot be set"
# Read back: the policy of each chain is what counts.
drops=$(nft list table inet cc | grep -c 'policy drop;')
[ "$drops" -eq 3 ] || fail "firewall: $drops of 3 chains drop"
fulfilled firewall
