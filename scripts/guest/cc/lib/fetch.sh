# shellcheck shell=sh
# Keys that come over a network. Sourced by mount-root, after partition.sh.

# shellcheck source=tee.sh
. "$R/usr/lib/cc/lib/tee.sh"
# shellcheck source=network.sh
. "$R/usr/lib/cc/lib/network.sh"
# shellcheck source=clock.sh
. "$R/usr/lib/cc/lib/clock.sh"

# fetch_keys: while the network is up, fetch the keys of all partitions that have the key source kbs. Those of the
# later partitions wait in memory for mount-partition, so that the system needs no network before its disks.
fetch_keys() {
	_waiting=
	for _candidate in $(conf_get "$CONF" partitions); do
		[ "$(conf_get "$CONF" "$_candidate.key")" != kbs ] || _waiting="$_waiting $_candidate"
	done
	[ -n "$_waiting" ] || return 0
	modprobe -a sev_guest tdx_guest 2>/dev/null
	has_tee || fail "${_waiting# }: no key: this machine is not confidential: there is neither /dev/sev-guest nor /dev/tdx_guest"
	mkdir -m 0700 "$R/run/cc/kbs" "$R/run/cc/fetched" || fail "/run cannot be written"
	cp "$R/cc/kbs/ca.pem" "$R/run/cc/kbs/ca.pem" || fail "the certificate of the key broker is not in the initrd"
	network_up
	set_clock
	_opened=$partition
	for partition in $_waiting; do
		fetch_key "$R/run/cc/fetching" || fail "$partition: its key source has no key"
		mv "$R/run/cc/fetching" "$R/run/cc/fetched/$partition"
	done
	partition=$_opened
	network_down
}
