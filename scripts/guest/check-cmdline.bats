#!/usr/bin/env bats
# What the initrd makes of a kernel command line that is not the one it was sealed with.

load ../test/guest.bash

setup() {
	dir=$BATS_TEST_TMPDIR/root
	mkdir -p "$dir/usr/lib" "$dir/proc" "$dir/dev" "$dir/cc"
	cp -r "$BATS_TEST_DIRNAME/cc" "$dir/usr/lib/cc"
	guest_programs "$dir"
	: >"$dir/dev/console"
	words='console=ttyS0 quiet panic=1 systemd.gpt_auto=0 x="a;b*"'
	printf 'version=1\nprofile=development\ncmdline=%s\npartitions=cc-root\n' "$words" >"$dir/cc/boot.conf"
}

# check TEXT: check-cmdline where /proc/cmdline is TEXT.
check() {
	printf '%s\n' "$1" >"$dir/proc/cmdline"
	run dash "$dir/usr/lib/cc/check-cmdline"
}

accepted() {
	check "$1"
	((status == 0)) && [[ ! -s $dir/dev/console && ! -e $dir/proc/sysrq-trigger ]] && return
	printf 'refused: %s\n' "$(cat "$dir/dev/console")" >&2
	return 1
}

refused() { # TEXT REASON
	: >"$dir/dev/console"
	check "$1"
	((status == 1)) && [[ $(cat "$dir/dev/console") == *"cc: FAILED: "*"$2"*"powering off" && $(cat "$dir/proc/sysrq-trigger") == o ]] && return
	printf 'accepted or with another reason: %s\n%s\n' "$1" "$(cat "$dir/dev/console")" >&2
	return 1
}

@test "the one of the image is accepted, also with the word that OVMF adds" {
	accepted "$words"
	accepted "$words initrd=initrd"
}

@test "a word more, a word less, a word that is changed: power off, and the word is named" {
	for word in init=/bin/sh break=top boot=local rd.break systemd.unit=rescue.target systemd.debug-shell=1 single ip=dhcp; do
		refused "$words $word" "'$word' does not belong there"
		refused "$word $words" "'$word' does not belong there"
	done
	refused "${words/panic=1 /}" "'panic=1' is missing"
	refused "${words/panic=1/panic=0}" "'panic=0' does not belong there"
	refused "" "'console=ttyS0' is missing"
}

@test "words that are repeated, moved, or stand on a second line are refused" {
	refused "$words quiet" "repeated or in another order"
	refused "quiet ${words/quiet /}" "repeated or in another order"
	refused "$words"$'\ninit=/bin/sh' "'init=/bin/sh' does not belong there"
	refused "$words"$'\tquiet' "is missing"
	refused "$words initrd=initrd initrd=initrd" "'initrd=initrd' does not belong there"
	refused "initrd=initrd $words" "'initrd=initrd' does not belong there"
}

@test "no pattern of the host is expanded" {
	touch "$BATS_TEST_TMPDIR/hit"
	cd "$BATS_TEST_TMPDIR"
	refused "$words *" "'*' does not belong there"
	refused "$words hi?" "'hi?' does not belong there"
}

@test "a boot.conf without it, or without anything, is refused" {
	sed -i /^cmdline/d "$dir/cc/boot.conf"
	refused "$words" "does not name the kernel command line"
	rm "$dir/cc/boot.conf"
	refused "$words" "boot.conf is missing"
}
