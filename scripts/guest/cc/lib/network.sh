# shellcheck shell=sh
# The network of the initrd, for as long as keys are fetched. Sourced by mount-root; needs CONF. IPv4 only: ipconfig of
# klibc, which initramfs-tools brings, knows nothing else.

# network_interface: the one that boot.conf names, or the first that is a device; it may take a moment to appear.
network_interface() {
	_wanted=$(conf_get "$CONF" network.interface)
	_left=100
	while [ "$_left" -gt 0 ]; do
		for _path in "$R"/sys/class/net/*/device; do
			_path=${_path%/device}
			[ -e "$_path/device" ] || continue
			[ "${_path##*/}" = "${_wanted:-${_path##*/}}" ] || continue
			printf '%s\n' "${_path##*/}"
			return 0
		done
		_left=$((_left - 1))
		sleep 0.1
	done
	return 1
}

# network_up: an address, a route and a name server, or one line that says why not.
network_up() {
	command -v ipconfig >/dev/null || fail "the network: there is no ipconfig in the initrd"
	INTERFACE=$(network_interface) || fail "the network: there is no interface $(conf_get "$CONF" network.interface)"
	_seconds=$(conf_get "$CONF" network.timeout)
	case $(conf_get "$CONF" network.mode) in
	dhcp) set -- -c dhcp -d "$INTERFACE" ;;
	static)
		set -- "$(conf_get "$CONF" network.address)::$(conf_get "$CONF" network.gateway):$(conf_get "$CONF" network.netmask)::$INTERFACE:none"
		;;
	*) fail "the network: '$(conf_get "$CONF" network.mode)' is not a mode" ;;
	esac
	timeout -k 2 $((_seconds + 5)) ipconfig -t "$_seconds" "$@" >"$R/run/cc/message" 2>&1 ||
		fail "the network: $INTERFACE has no address after $_seconds seconds"
	name_servers >"$R/etc/resolv.conf" || fail "the network: /etc/resolv.conf cannot be written"
}

# name_servers: lines of resolv.conf, as boot.conf has them or as DHCP gave them. What DHCP gives is the host's: it is
# taken apart here, and never run, as a shell script would be.
name_servers() {
	_servers=$(conf_get "$CONF" network.dns)
	if [ -z "$_servers" ] && [ -r "$R/run/net-$INTERFACE.conf" ]; then
		while IFS='=' read -r _key _value; do
			case $_key in
			IPV4DNS0 | IPV4DNS1)
				_value=${_value#\'}
				_value=${_value%\'}
				case $_value in
				'' | 0.0.0.0 | *[!0-9.]*) ;;
				*) _servers="$_servers $_value" ;;
				esac
				;;
			esac
		done <"$R/run/net-$INTERFACE.conf"
	fi
	for _server in $_servers; do
		printf 'nameserver %s\n' "$_server"
	done
}

# network_down: nothing of it is left for the system, which has a network of its own.
network_down() {
	ip addr flush dev "$INTERFACE" || fail "the network: the address of $INTERFACE cannot be taken away"
	ip link set "$INTERFACE" down || fail "the network: $INTERFACE cannot be taken down"
	rm -f "$R/run/net-$INTERFACE.conf" "$R/etc/resolv.conf"
}
