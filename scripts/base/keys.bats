#!/usr/bin/env bats
# 55-keys.sh: a kbs-client that the guest cannot use is refused when the image is built.

# shellcheck disable=SC2016 # for another shell
load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree client=$dir/kbs-client
	as_user mkdir -p "$tree"/{bin,usr/bin,usr/lib/cc,usr/local/bin}
	local program library
	for program in sh mkdir rm cat chmod test ln; do
		as_user cp "$(type -P "$program")" "$tree/usr/bin/"
		[[ $program != sh ]] || as_user cp "$(type -P sh)" "$tree/bin/"
		while read -r library; do
			as_user install -D "$library" "$tree$library"
		done < <(ldd "$(type -P "$program")" | grep -oE '/[^ ]+')
	done
}

teardown() { remove_trees; }

good='# It looks for /sys/devices/platform/sev-guest.
[ "$1" != --help ] || echo "Usage: kbs-client [--url URL] [--cert-file FILE] get-resource config"'

# makes SCRIPT [OPTION...]: a program that runs it.
makes() { as_user python3 "$BATS_TEST_DIRNAME/../test/program.py" "$client" "${@:2}" <<<"$1"; }

keys() {
	step 55-keys --tree "$tree" --key-source kbs --root-key-source kbs --kbs-client "$client" \
		--kbs-client-sha256 "$(sha256sum <"$client" | cut -c -64)"
}

@test "a kbs-client that the guest can use goes into the tree and on the list of the initrd" {
	makes "$good"
	keys
	((status == 0)) || { echo "$output" && return 1; }
	cmp "$client" "$tree/usr/local/bin/kbs-client"
	grep -qx /usr/local/bin/kbs-client "$tree/usr/lib/cc/initrd-programs"
	[[ $output != *warning* ]]
	# The next stage finds it in the tree.
	step 55-keys --tree "$tree" --key-source kbs --root-key-source kbs
	((status == 0)) || { echo "$output" && return 1; }
}

@test "one without the attester of SEV-SNP would show made-up evidence" {
	makes "${good/sev-guest/other}"
	keys
	failed_with E_PACKAGE 'kbs-client has no attester for SEV-SNP'
	[[ $output == *'--features snp-attester'* ]]
}

@test "one for another processor, and a script, is refused" {
	makes "$good" --machine 183
	keys
	failed_with E_PACKAGE 'is no program for x86-64'
	printf '#!/bin/sh\n%s\n' "$good" | as_user tee "$client" >/dev/null
	keys
	failed_with E_PACKAGE 'is no program for x86-64'
}

@test "one whose library the tree does not have is refused, with its name" {
	as_user cp "$(type -P bash)" "$client"
	keys
	failed_with E_PACKAGE 'kbs-client needs libtinfo.so.6, which the tree does not have'
}

@test "one that does not run, or is another program, is refused" {
	makes "$good"$'\n''echo "no such processor" >&2; exit 3'
	keys
	failed_with E_PACKAGE 'kbs-client does not run in the tree: no such processor'
	makes "# /sys/devices/platform/sev-guest"$'\n''echo "a calculator"'
	keys
	failed_with E_PACKAGE "does not say that it is kbs-client: 'a calculator'"
}

@test "one that is in the tree already is looked at, too" {
	makes "${good/sev-guest/other}"
	as_user cp "$client" "$tree/usr/local/bin/kbs-client"
	step 55-keys --tree "$tree" --key-source kbs --root-key-source kbs
	failed_with E_PACKAGE 'kbs-client has no attester for SEV-SNP'
}

@test "one that brings public authorities with it is named" {
	makes "$good"$'\n''# ISRG Root X1'
	keys
	((status == 0)) || { echo "$output" && return 1; }
	[[ $output == *'warning: this kbs-client brings public certificate authorities with it'* ]]
}

# clock [VERSION]: a kbs-client, and a chronyd that says so, in the tree; then the step.
clock() {
	makes "$good"
	as_user mkdir -p "$tree/usr/sbin" "$tree/etc/systemd/system/multi-user.target.wants" "$tree/etc/ssl"
	as_user ln -sf /lib/systemd/system/chrony.service "$tree/etc/systemd/system/multi-user.target.wants/chrony.service"
	printf '#!/bin/sh\necho "chronyd (chrony) version %s"\n' "${1-4.3 (+PRIVDROP +NTS +IPV6)}" | as_user tee "$tree/usr/sbin/chronyd" >/dev/null
	as_user chmod 755 "$tree/usr/sbin/chronyd"
	[[ -e $tree/etc/ssl/ca.pem ]] || printf -- '-----BEGIN CERTIFICATE-----\n' | as_user tee "$tree/etc/ssl/ca.pem" >/dev/null
	step 55-keys --tree "$tree" --key-source kbs --root-key-source kbs --kbs-client "$client" \
		--kbs-client-sha256 "$(sha256sum <"$client" | cut -c -64)" --clock-authorities /etc/ssl/ca.pem
}

@test "the program that sets the clock goes into the initrd with its authorities, and does not run as a service" {
	clock
	((status == 0)) || { echo "$output" && return 1; }
	grep -qx chronyd "$tree/usr/lib/cc/initrd-programs"
	cmp "$tree/etc/ssl/ca.pem" "$tree/usr/lib/cc/clock-authorities.pem"
	[[ $(readlink "$tree/etc/systemd/system/chrony.service") == /dev/null ]]
	[[ ! -L $tree/etc/systemd/system/multi-user.target.wants/chrony.service ]]
	# Without it nothing of that stays.
	step 55-keys --tree "$tree" --key-source kbs --root-key-source kbs
	((status == 0))
	[[ ! -e $tree/usr/lib/cc/clock-authorities.pem ]]
	run ! grep -q chronyd "$tree/usr/lib/cc/initrd-programs"
}

@test "a clock without chronyd, without NTS, or without authorities is refused" {
	step 55-keys --tree "$tree" --clock-authorities /etc/ssl/ca.pem
	failed_with E_CONFIG 'the tree has no /usr/sbin/chronyd'
	clock '3.5 (+PRIVDROP +IPV6)'
	failed_with E_PACKAGE 'this chronyd does not support NTS'
	echo none | as_user tee "$tree/etc/ssl/ca.pem" >/dev/null
	clock
	failed_with E_CONFIG "'/etc/ssl/ca.pem' holds no certificate"
	as_user rm "$tree/etc/ssl/ca.pem"
	as_user ln -s /nowhere "$tree/etc/ssl/ca.pem"
	as_user mkdir -p "$tree/etc/ssl"
	step 55-keys --tree "$tree" --clock-authorities /etc/ssl/ca.pem
	failed_with E_CONFIG "the tree has no file '/etc/ssl/ca.pem'"
}
