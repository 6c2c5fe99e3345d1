#!/usr/bin/env bats
# fetch_key of lib/partition.sh: what a key broker decided is on the console, without the key.

# shellcheck disable=SC2016 # for other shells
load ../test/guest.bash

setup() {
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root"/{dev,proc/sys/kernel/random,run/cc,usr/lib/cc/key-source}
	cp -r "$BATS_TEST_DIRNAME/cc/lib" "$root/usr/lib/cc/"
	guest_programs "$root"
	: >"$root/dev/console"
	echo 12345678-1234-1234-1234-123456789abc >"$root/proc/sys/kernel/random/uuid"
	# Of a file the next line would take the place of the last one.
	sed -i 's,>"$R/dev/console",>>"$R/dev/console",' "$root/usr/lib/cc/lib/console.sh"
}

# fetch SOURCE LINE...: with a key source of that name that does this
fetch() {
	printf '%s\n' version=1 cc-a.key="$1" cc-a.kbs-resource=x/y/cc-a >"$root/run/cc/boot.conf"
	printf '%s\n' '#!/bin/sh' "${@:2}" >"$root/usr/lib/cc/key-source/$1"
	chmod 755 "$root/usr/lib/cc/key-source/$1"
	run dash -c 'cd "$1/usr/lib/cc/lib" && . ./console.sh && . ./boot-conf.sh && CONF=$1/run/cc/boot.conf partition=cc-a && . ./partition.sh && fetch_key "$1/run/cc/key"' - "$root"
}

@test "a released key is recorded, and not shown" {
	fetch kbs 'echo the key itself'
	((status == 0)) || { echo "$output" && return 1; }
	[[ $(<"$root/run/cc/key") == 'the key itself' ]]
	diff -u - "$root/dev/console" <<-'EOF'

		CC-AUDIT {"version":1,"event":"key-release","id":"12345678","partition":"cc-a","resource":"x/y/cc-a","result":"released","reason":""}
	EOF
}

@test "a refusal and silence are recorded with their reason, before the machine powers off" {
	fetch kbs 'echo "denied by \"its\" policy" >&2' 'exit 1'
	((status == 1))
	[[ $(<"$root/dev/console") == *'"result":"refused","reason":"denied by its policy"}'*$'\n'"cc: FAILED: cc-a: no key from 'kbs'"* ]]
	: >"$root/dev/console"
	fetch kbs 'echo "Connection refused" >&2' 'exit 4'
	[[ $(<"$root/dev/console") == *'"result":"unreachable","reason":"Connection refused"}'* ]]
}

@test "a key source of another kind leaves no record" {
	fetch sealed 'echo the key itself'
	((status == 0))
	[[ ! -s $root/dev/console ]]
}
