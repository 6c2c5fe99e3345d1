#!/usr/bin/env bats
# What setup.sh takes for a line of debian-packages.txt, on a machine with packages of our choice.
# shellcheck disable=SC2016 # programs for another shell

setup() {
	bats_require_minimum_version 1.5.0
	bin=$BATS_TEST_TMPDIR/bin
	mkdir -p "$bin"
	export PATH=$bin:$PATH
	# shellcheck source=setup.sh
	. "$BATS_TEST_DIRNAME/setup.sh"
	set +E
	available apt
	installed apt
}

# available NAME...: what apt-cache has a candidate of; nothing on a machine without package lists.
available() {
	printf '#!/bin/sh\ncase " %s " in *" $2 "*) printf "%%s:\\n  Installed: (none)\\n  Candidate: 1\\n" "$2" ;; esac\n' "$*" >"$bin/apt-cache"
	chmod 755 "$bin/apt-cache"
}

# installed NAME...
installed() {
	printf '#!/bin/sh\ncase " %s " in *" $4 "*) printf installed ;; esac\n' "$*" >"$bin/dpkg-query"
	chmod 755 "$bin/dpkg-query"
}

@test "another name that is installed anyway does not stand for the first one that the release has" {
	available apt systemd-boot-efi systemd
	installed apt systemd
	run ! is_satisfied 'systemd-boot-efi | systemd'
	[ "$(choose 'systemd-boot-efi | systemd')" = systemd-boot-efi ]
}

@test "the other name is enough where the release has no first one" {
	available apt systemd
	installed apt systemd
	is_satisfied 'systemd-boot-efi | systemd'
}

@test "a machine without package lists is asked for them, unless the first name is installed" {
	available
	installed apt systemd
	run ! is_satisfied 'systemd-boot-efi | systemd'
	installed apt systemd-boot-efi
	is_satisfied 'systemd-boot-efi | systemd'
}

@test "an optional package that the release does not have is left out, with a word" {
	available apt
	is_satisfied 'chromium ?'
	run choose 'chromium ?'
	[ "$status" = 0 ]
	[[ "$output" == *'left out'* ]]
	available apt chromium
	run ! is_satisfied 'chromium ?'
}
