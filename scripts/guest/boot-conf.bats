#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # programs for other shells; each test has its own variables
# boot.conf as the guest reads it, under the shell that an initrd has.

setup() {
	dir=$BATS_TEST_TMPDIR
	guest=$BATS_TEST_DIRNAME/cc
	conf=$dir/boot.conf
}

# check: conf_check on the text of stdin
check() {
	cat >"$conf"
	run dash -c '. "$1/lib/boot-conf.sh"; conf_check "$2"' - "$guest" "$conf"
}

good='version=1
profile=development
partitions=cc-root cc-ro
cc-root.mount=/
cc-root.encryption=luks2
cc-ro.options=ro,noload,nosuid'

@test "a good one is accepted, with or without a line end at its end" {
	check <<<"$good"
	((status == 0))
	printf '%s' "$good" >"$conf"
	run dash -c '. "$1/lib/boot-conf.sh"; conf_check "$2"' - "$guest" "$conf"
	((status == 0))
}

@test "a kernel command line may hold what can be printed, and nothing else" {
	check <<<"$good"$'\ncmdline=console=ttyS0 x="a;b" y=$(z)*[!]\\'
	((status == 0))
	refused "$good"$'\ncmdline=a\rb' "unexpected character: 'cmdline'"
	refused "$good"$'\ncmdline=a\tb' "unexpected character: 'cmdline'"
	refused "$good"$'\ncmdline=\u00e4' "unexpected character: 'cmdline'"
	refused "$good"$'\ncmdline=a\ncmdline=b' "repeats the key 'cmdline'"
}

@test "values are found by their key, and by no other" {
	printf '%s\ncc-ro.mount=/a=b\n' "$good" >"$conf"
	run dash -c '. "$1/lib/boot-conf.sh"; conf_get "$2" cc-ro.mount; conf_get "$2" mount; conf_get "$2" partitions' - "$guest" "$conf"
	[[ $output == $'/a=b\ncc-root cc-ro' ]]
}

refused() { # TEXT REASON
	check <<<"$1"
	((status == 1)) && [[ $output == *"$2"* ]] && return
	printf 'accepted or with another reason: %s\n%s\n' "$1" "$output" >&2
	return 1
}

@test "what is not expected is refused, not interpreted" {
	refused "$good"$'\ncc-root.mount=/other' "repeats the key 'cc-root.mount'"
	refused "$good"$'\nversion=1' "repeats the key 'version'"
	refused "$good"$'\ninit=/bin/sh' "unknown key: 'init'"
	refused "$good"$'\ncc-root.shell=yes' "unknown key"
	refused "$good"$'\nroot.mount=/' "unknown key"
	refused "$good"$'\ncc-x$(reboot).mount=/' "unknown key"
	refused "$good"$'\nCC-ROOT.mount=/' "unknown key"
	refused "$good"$'\n# a comment' "not key=value"
	refused "$good"$'\n\n' "not key=value"
	refused "$good"$'\ncc-ro.mount=/x;reboot' "unexpected character"
	refused "$good"$'\ncc-ro.mount=$(reboot)' "unexpected character"
	refused "$good"$'\ncc-ro.mount=/a\rb' "unexpected character"
	refused "$good"$'\ncc-ro.mount=/*' "unexpected character"
	refused "${good/version=1/version=2}" "version '2'"
	refused "${good/version=1/profile=x}" "repeats the key 'profile'"
	refused "" "not key=value"
}

@test "one that is not there is refused" {
	run dash -c '. "$1/lib/boot-conf.sh"; conf_check "$2"' - "$guest" "$dir/none"
	((status == 1))
	[[ $output == *missing* ]]
}
