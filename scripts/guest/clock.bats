#!/usr/bin/env bats
# lib/clock.sh: the clock is set by servers that prove who they are, or the machine powers off.

# shellcheck disable=SC2016 # programs for other shells
load ../test/guest.bash

setup() {
	bats_require_minimum_version 1.5.0
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root"/{dev,proc,run/cc,usr/lib/cc,cc,bin}
	cp -r "$BATS_TEST_DIRNAME/cc/lib" "$root/usr/lib/cc/"
	guest_programs "$root"
	: >"$root/dev/console"
	: >"$root/proc/sysrq-trigger"
}

# chronyd LINE...: a stand-in; what it is called with is in $root/called
chronyd() {
	printf '%s\n' '#!/bin/sh' "printf '%s\n' \"\$*\" >'$root/called'" "cat '$root/run/cc/chrony.conf' >>'$root/called'" "$@" >"$root/bin/chronyd"
	chmod 755 "$root/bin/chronyd"
}

# set_clock LINE...: with these lines of boot.conf
set_clock() {
	printf '%s\n' version=1 "$@" >"$root/run/cc/boot.conf"
	run env -i PATH="$root/bin:$PATH" sh -c ". '$root/usr/lib/cc/lib/console.sh'; . '$root/usr/lib/cc/lib/boot-conf.sh'
		CONF='$root/run/cc/boot.conf'; . '$root/usr/lib/cc/lib/clock.sh'; set_clock"
}

@test "without servers the clock is left alone" {
	chronyd
	set_clock
	((status == 0))
	[[ ! -e $root/called ]]
}

@test "chronyd believes the configured servers only, with their certificates, and opens nothing" {
	chronyd
	set_clock 'clock.servers=time.example.org 192.0.2.1:14460' clock.agreeing=2 clock.timeout=7
	((status == 0))
	diff -u - "$root/called" <<-EOF
		-q -u root -t 7 -f $root/run/cc/chrony.conf
		server time.example.org iburst nts
		server 192.0.2.1 iburst nts ntsport 14460
		minsources 2
		nosystemcert
		ntstrustedcerts $root/cc/clock-authorities.pem
		cmdport 0
		bindcmdaddress /
		pidfile $root/run/cc/chronyd.pid
	EOF
	[[ ! -e $root/run/cc/chrony.conf ]]
}

@test "without a time the machine powers off, with the reason as plain text" {
	chronyd 'echo "TLS handshake with 192.0.2.1:4460 (192.0.2.1) failed : The certificate is NOT trusted. " >&2' 'printf "\\033[2J\n"' 'exit 1'
	set_clock clock.servers=192.0.2.1 clock.agreeing=1 clock.timeout=7
	((status == 1))
	[[ $(<"$root/dev/console") == 'cc: FAILED: the clock: no time from 192.0.2.1 within 7 seconds: The certificate is NOT trusted.; powering off' ]]
	[[ $(<"$root/proc/sysrq-trigger") == o ]]
}
