#!/usr/bin/env bats
# 15-remove.sh, 88-verify.sh and the list that they share with hardening/20-remove.sh, on a tree with a real dpkg and apt
# and with packages whose scripts refuse, ask and fail.

# shellcheck disable=SC2016 # maintainer scripts
load ../test/lib.bash

epoch=1700000000

setup() {
	setup_user
	tree=$dir/tree
	as_user mkdir -p "$tree"/{dev,proc,sys,tmp,run,root,home,usr/bin,usr/sbin,usr/lib,usr/lib64,var/lib/dpkg/{info,updates},var/log/apt} \
		"$tree"/{var/cache/apt/archives/partial,var/lib/apt/lists/partial,etc/apt,usr/lib/systemd/system,etc/systemd/system}
	for link in bin sbin lib lib64; do as_user ln -s "usr/$link" "$tree/$link"; done
	as_user touch "$tree"/var/lib/dpkg/{status,available} "$tree/etc/resolv.conf"
	printf 'root:x:0:0:root:/root:/bin/sh\n' | as_user tee "$tree/etc/passwd" >/dev/null
	printf 'root:!*:1:0:99999:7:::\n' | as_user tee "$tree/etc/shadow" >/dev/null
	printf 'root:x:0:\n' | as_user tee "$tree/etc/group" >/dev/null
	local program
	for program in sh env dpkg dpkg-deb dpkg-query dpkg-split dpkg-divert rm mv ln cat mkdir tar find diff ldconfig grep sed \
		start-stop-daemon true touch apt-get id; do
		copy_program "$program"
	done
	as_user mkdir -p "$tree/usr/share"
	as_user cp -r /usr/lib/apt "$tree/usr/lib/"
	as_user cp -r /usr/share/dpkg "$tree/usr/share/"
	for unit in default.target sysinit.target; do unit "$unit" '[Unit]'; done
}
teardown() { remove_trees; }

copy_program() { # NAME: of the host, with its libraries
	local file library
	file=$(PATH=$PATH:/usr/sbin:/sbin type -P "$1")
	as_user cp -- "$file" "$tree/usr/bin/$1"
	{ ldd "$file" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
		[[ -e $tree$library ]] || as_user install -D "$library" "$tree$library"
	done
}

unit() { printf '%s\n' "${@:2}" | as_user tee "$tree/usr/lib/systemd/system/$1" >/dev/null; }
wants() { as_user mkdir -p "$tree/etc/systemd/system/$1.wants" && as_user ln -s "/usr/lib/systemd/system/$2" "$tree/etc/systemd/system/$1.wants/$2"; }

# package NAME [FIELD:...]: installed in the tree; $prerm is its script.
package() {
	local work=$dir/make/$1
	as_user mkdir -p "$work/DEBIAN" "$work/usr/share/$1"
	printf '%s\n' "Package: $1" 'Version: 1' 'Architecture: all' 'Maintainer: nobody <n@example.org>' "${@:2}" 'Description: test' |
		as_user tee "$work/DEBIAN/control" >/dev/null
	as_user touch "$work/usr/share/$1/file"
	if [[ -n ${prerm-} ]]; then
		printf '#!/bin/sh\n%s\n' "$prerm" | as_user tee "$work/DEBIAN/prerm" >/dev/null
		as_user chmod 755 "$work/DEBIAN/prerm"
	fi
	as_user dpkg-deb --root-owner-group -b "$work" "$tree/$1.deb" >/dev/null
	into_tree "$1.deb"
}
into_tree() { in_namespace chroot "$tree" dpkg --install --force-depends "/$1" >"$dir/install.log" 2>&1 || { cat "$dir/install.log" && return 1; }; }
installed() { dpkg-query --admindir="$tree/var/lib/dpkg" -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null; }

remove() { step 15-remove --tree "$tree" --guest "$BATS_TEST_DIRNAME/../guest" --archives "$dir/archives" --source-date-epoch "$epoch" "$@"; }
verify() { step 88-verify --tree "$tree" "$@"; }
harden() { step ../hardening/20-remove --tree "$tree" --venv /opt/venv --source-date-epoch "$epoch"; }
ok() { ((status == 0)) || { echo "$output" && return 1; }; }

@test "what acts on the host's behalf goes with what needs it, and is named where it is left" {
	package cloud-init
	package snapd
	package ubuntu-server-meta 'Depends: cloud-init'
	package jq
	as_user mkdir -p "$tree/var/lib/snapd/seed" "$tree/etc/cloud"
	verify
	failed_with E_IMAGE "the package 'cloud-init' takes users, keys and code"
	[[ $output == *"the package 'snapd'"* && $output == *"'/var/lib/snapd'"* && $output == *"'getty.target' is not masked"* ]]
	[[ $output != *jq* ]]
	remove --wanted jq
	ok
	equal "$(installed)" 'ii jq '
	[[ ! -e $tree/var/lib/snapd && ! -e $tree/etc/cloud && $(readlink "$tree/etc/systemd/system/serial-getty@.service") == /dev/null ]]
	verify
	ok
	# Whatever comes back is found again.
	as_user mkdir -p "$tree/usr/sbin"
	as_user touch "$tree/usr/sbin/sshd"
	verify
	failed_with E_IMAGE "'/usr/sbin/sshd': lets in whoever has a key"
}

@test "a group that is kept stays, and nothing else" {
	package cloud-init
	package snapd
	remove --keep cloud-init --keep getty
	ok
	equal "$(installed)" 'ii cloud-init '
	[[ ! -e $tree/etc/systemd/system/getty.target ]]
	verify --keep cloud-init --keep getty
	ok
	verify --keep getty
	failed_with E_IMAGE "the package 'cloud-init'"
}

@test "what is needed is not removed along, and the tree is as it was" {
	package cloud-init
	package jq 'Depends: cloud-init'
	remove --wanted jq=1
	failed_with E_PACKAGE "'jq' is needed, and cannot stay without cloud-init"
	equal "$(installed)" 'ii cloud-init ii jq '
}

@test "a list of packages that cannot be read is no empty list" {
	as_user rm -r "$tree/var/lib/dpkg"
	verify
	failed_with E_IMAGE 'the tree has no list of its packages'
}

@test "a package that refuses is named with the words of its script, and no other" {
	prerm='echo "there is still work to do in /srv"; exit 3' package cloud-init
	package snapd
	remove
	failed_with E_PACKAGE "'cloud-init' cannot be removed: there is still work to do in /srv"
	[[ $output == *'error exit status 3'* && $(grep -c '^error\[' <<<"$output") == 1 && $(grep '^error\[' <<<"$output") != *snapd* ]]
	harden
	failed_with E_PACKAGE "'cloud-init' cannot be removed: there is still work to do in /srv"
	[[ $(grep -c '^error\[' <<<"$output") == 1 && $(grep '^error\[' <<<"$output") != *snapd* ]]
}

@test "a script that asks gets no answer from whoever builds" {
	prerm='read answer || answer=nothing; echo "got $answer" >>/asked' package cloud-init
	remove < <(yes)
	ok
	equal "$(cat "$tree/asked")" 'got nothing'
}

@test "the real sudo goes from a tree whose root is locked" {
	(cd "$BATS_FILE_TMPDIR" && apt-get -q download sudo >/dev/null 2>&1 && mv sudo_*.deb sudo.deb)
	as_user cp "$BATS_FILE_TMPDIR/sudo.deb" "$tree/sudo.deb"
	for program in chmod chown install dpkg-maintscript-helper; do copy_program "$program"; done
	# Of what it depends on, its scripts call only these.
	printf '#!/bin/sh\n' | as_user tee "$tree/usr/bin/update-rc.d" "$tree/usr/bin/invoke-rc.d" >/dev/null
	as_user chmod 755 "$tree"/usr/bin/{update,invoke}-rc.d
	into_tree sudo.deb
	run in_namespace chroot "$tree" dpkg --purge sudo
	((status == 1)) && [[ $output == *'sudo'* ]]
	harden
	ok
	[[ -z $(installed) && ! -e $tree/etc/sudoers ]]
}

@test "a socket whose service is masked is found, and masked by the build" {
	package jq
	unit multipathd.service '[Service]' 'ExecStart=/bin/true'
	unit multipathd.socket '[Socket]' 'ListenStream=/run/x'
	unit good.socket '[Socket]' 'ListenStream=/run/y'
	unit good.service '[Service]' 'ExecStart=/bin/true'
	unit each.socket '[Socket]' 'Accept=yes'
	unit each@.service '[Service]' 'ExecStart=/bin/true'
	unit gone.timer '[Timer]' 'Unit=gone.service'
	unit sockets.target '[Unit]'
	unit basic.target '[Unit]' 'Wants=sockets.target timers.target'
	unit timers.target '[Unit]'
	for name in multipathd good each; do wants sockets.target "$name.socket"; done
	wants timers.target gone.timer
	as_user ln -s /dev/null "$tree/etc/systemd/system/multipathd.service"
	run python3 -B "$BATS_TEST_DIRNAME/../lib/units.py" check "$tree"
	ok
	equal "$output" $'gone.timer starts gone.service, which does not exist\nmultipathd.socket starts multipathd.service, which is masked'
	remove
	ok
	[[ $(readlink "$tree/etc/systemd/system/multipathd.socket") == /dev/null && ! -e $tree/etc/systemd/system/good.socket ]]
	verify
	ok
}

@test "a unit that needs what is masked or starts what is not there is refused, unless it has a condition" {
	package jq
	remove
	ok
	unit one.service '[Unit]' 'Requires=two.service' '[Service]' 'ExecStart=-/bin/no' 'ExecStart=/bin/true'
	unit two.service '[Service]' 'ExecStart=/bin/true'
	unit three.service '[Service]' 'ExecStart=/usr/bin/three -x'
	unit four.service '[Unit]' 'ConditionPathExists=/four' '[Service]' 'ExecStart=/usr/bin/four'
	for name in one three four; do wants default.target "$name.service"; done
	verify
	failed_with E_IMAGE 'units would fail at boot: three.service starts /usr/bin/three, which does not exist; '
	as_user rm "$tree/usr/lib/systemd/system/three.service"
	verify
	ok
	as_user ln -s /dev/null "$tree/etc/systemd/system/two.service"
	verify
	failed_with E_IMAGE 'one.service needs two.service, which is masked'
	# An empty tree is not one in which nothing fails.
	as_user rm -r "$tree/usr/lib/systemd" "$tree/etc/systemd/system/default.target.wants"
	run python3 -B "$BATS_TEST_DIRNAME/../lib/units.py" check "$tree"
	((status != 0))
}
