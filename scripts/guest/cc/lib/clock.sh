# shellcheck shell=sh
# The clock, before anything is decided by the dates of certificates: a guest starts with that of its host. Sourced by
# mount-root, after network.sh; needs CONF.

# clock_conf: what chronyd is told. It believes these servers only, with their certificates (Network Time Security, RFC
# 8915); it opens no port and keeps no state. Directives: chrony.conf(5).
clock_conf() {
	for _server in $(conf_get "$CONF" clock.servers); do
		case $_server in
		*:*) printf 'server %s iburst nts ntsport %s\n' "${_server%:*}" "${_server##*:}" ;;
		*) printf 'server %s iburst nts\n' "$_server" ;;
		esac
	done
	printf '%s\n' "minsources $(conf_get "$CONF" clock.agreeing)" nosystemcert \
		"ntstrustedcerts $R/cc/clock-authorities.pem" 'cmdport 0' 'bindcmdaddress /' "pidfile $R/run/cc/chronyd.pid"
}

# clock_reason: the last failure that chronyd tells of; all of it may come from the network, so only plain text of it is shown.
clock_reason() {
	_reason=
	while IFS= read -r _line; do
		case $_line in *' failed : '*) _reason=${_line##*' failed : '} ;; esac
	done <"$R/run/cc/message"
	_reason=$(printf '%s' "$_reason" | tr -cd ' -~' | head -c 160)
	[ -z "$_reason" ] || printf ': %s' "${_reason%"${_reason##*[! ]}"}"
}

# set_clock: the clock as the configured servers have it, or one line that says why not. Without servers it is left alone.
set_clock() {
	[ -n "$(conf_get "$CONF" clock.servers)" ] || return 0
	_seconds=$(conf_get "$CONF" clock.timeout)
	clock_conf >"$R/run/cc/chrony.conf" || fail "the clock: /run cannot be written"
	timeout -k 2 $((_seconds + 5)) chronyd -q -u root -t "$_seconds" -f "$R/run/cc/chrony.conf" >"$R/run/cc/message" 2>&1 ||
		fail "the clock: no time from $(conf_get "$CONF" clock.servers) within $_seconds seconds$(clock_reason)"
	rm -f "$R/run/cc/chrony.conf" "$R/run/cc/message"
}
