#!/usr/bin/env bats
# boot-settled on a folder that stands in for the file system, with a systemctl that says what systemd would.

. "$BATS_TEST_DIRNAME/../test/guest.bash"

setup() {
	root=$BATS_TEST_TMPDIR/root
	bin=$BATS_TEST_TMPDIR/bin
	mkdir -p "$root"/{dev,usr/lib/cc} "$bin"
	cp -R "$BATS_TEST_DIRNAME/cc/." "$root/usr/lib/cc/"
	guest_programs "$root"
	export PATH=$bin:$PATH
}

# systemctl STATE [UNIT]...: the state of the system, and the units that failed.
systemctl() {
	local state=$1
	shift
	printf '%s loaded failed failed A unit\n' "$@" >"$BATS_TEST_TMPDIR/failed"
	cat >"$bin/systemctl" <<-END
		#!/bin/sh
		case "\$*" in
		'is-system-running --wait') echo $state; [ $state = running ] ;;
		list-units*) [ $# = 0 ] || cat "$BATS_TEST_TMPDIR/failed" ;;
		*) exit 2 ;;
		esac
	END
	chmod 755 "$bin/systemctl"
}

@test "boot-settled names every unit that failed, on a line of its own" {
	systemctl degraded late.service 'dev-disk-by\x2dlabel-x.mount'
	dash "$root/usr/lib/cc/boot-settled"
	[ "$(sed -n 2p "$root/dev/console")" = 'CC-SETTLED {"version":1,"state":"degraded","failedUnits":["late.service","dev-disk-byx2dlabel-x.mount"]}' ]
}

@test "boot-settled says that none failed" {
	systemctl running
	dash "$root/usr/lib/cc/boot-settled"
	[ "$(sed -n 2p "$root/dev/console")" = 'CC-SETTLED {"version":1,"state":"running","failedUnits":[]}' ]
}

@test "boot-settled says nothing of a state that systemd does not tell" {
	printf '#!/bin/sh\nexit 1\n' >"$bin/systemctl"
	chmod 755 "$bin/systemctl"
	dash "$root/usr/lib/cc/boot-settled"
	[ "$(sed -n 2p "$root/dev/console")" = 'CC-SETTLED {"version":1,"state":"","failedUnits":[]}' ]
}
