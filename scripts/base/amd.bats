#!/usr/bin/env bats
# shellcheck disable=SC2016 # the hooks expand what is in them
# 12-amd.sh, 52-sev-guest.sh and the version of snpguest, on a tree of a few programs: what needs no package.

load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree
	make_tree
	patches=$dir/patches
	as_user mkdir "$patches"
}

teardown() { remove_trees; }

# A tree in which a hook can run.
make_tree() {
	as_user mkdir -p "$tree"/{bin,usr/bin,usr/lib/cc,usr/src/hello-1.0,dev,proc,sys,tmp,run,etc/modules-load.d,boot,lib/modules/6.1.0-x/kernel}
	local program library
	for program in sh touch cat unshare env test; do
		as_user cp "$(type -P "$program")" "$tree/usr/bin/"
		[[ $program != sh ]] || as_user cp "$(type -P sh)" "$tree/bin/"
		while read -r library; do
			as_user install -D "$library" "$tree$library"
		done < <(ldd "$(type -P "$program")" | grep -oE '/[^ ]+')
	done
	printf 'one\ntwo\nthree\n' | as_user tee "$tree/usr/src/hello-1.0/hello.c" >/dev/null
	as_user touch "$tree/boot/vmlinuz-6.1.0-x"
}

write() { as_user tee "$patches/$1" >/dev/null; }

good_patch() {
	printf 'Say two twice\nTarget: /usr/src/hello-1.0\n\n--- a/hello.c\n+++ b/hello.c\n@@ -1,3 +1,4 @@\n one\n two\n+two\n three\n' | write "$1"
}

amd() {
	local entries=() name
	for name in "$@"; do entries+=(--entry "$patches/$name"); done
	step 12-amd --tree "$tree" --archives "$dir/archives" --work "$dir/work" --source-date-epoch 0 "${entries[@]}"
}

@test "patches and hooks are applied in the order given" {
	good_patch 10.patch
	printf '[ "$(cat /usr/src/hello-1.0/hello.c | { read a; read b; read c; echo $c; })" = two ] && touch /seen\n' | write 20.sh
	amd 10.patch 20.sh
	((status == 0)) || { echo "$output" && false; }
	equal "$(cat "$tree/usr/src/hello-1.0/hello.c")" $'one\ntwo\ntwo\nthree'
	[[ -e $tree/seen ]]
}

@test "a hook has no network" {
	printf 'while read -r name _; do case $name in lo: | Inter-* | face) ;; *) exit 9 ;; esac; done </proc/net/dev\n' | write 10.sh
	amd 10.sh
	((status == 0)) || { echo "$output" && false; }
}

@test "a hook that fails stops the build and is named" {
	printf '#!/bin/sh\nexit 3\n' | write 10-bad.sh
	amd 10-bad.sh
	failed_with E_PATCH "10-bad.sh failed with exit status 3"
}

@test "a patch that does not apply is named with its file and hunk, and changes nothing" {
	printf 'Target: /usr/src/hello-1.0\n--- a/new.c\n+++ b/new.c\n@@ -0,0 +1 @@\n+new\n--- a/hello.c\n+++ b/hello.c\n@@ -1,3 +1,3 @@\n one\n-zwei\n+deux\n three\n' | write 10-bad.patch
	amd 10-bad.patch
	failed_with E_PATCH "10-bad.patch does not apply to /usr/src/hello-1.0: hello.c, Hunk #1 FAILED at 1"
	equal "$(cat "$tree/usr/src/hello-1.0/hello.c")" $'one\ntwo\nthree'
	equal "$(ls "$tree/usr/src/hello-1.0")" hello.c
}

@test "a patch for other lines is not moved there" {
	printf 'Target: /usr/src/hello-1.0\n--- a/hello.c\n+++ b/hello.c\n@@ -1,3 +1,3 @@\n eins\n-two\n+deux\n three\n' | write 10.patch
	amd 10.patch
	failed_with E_PATCH "Hunk #1 FAILED"
}

@test "a patch that was applied already is refused" {
	good_patch 10.patch
	good_patch 20.patch
	amd 10.patch 20.patch
	failed_with E_PATCH "20.patch does not apply"
}

@test "a patch cannot reach out of its folder" {
	printf 'Target: /usr/src/hello-1.0\n--- a/../../../evil\n+++ b/../../../evil\n@@ -0,0 +1 @@\n+evil\n' | write 10.patch
	amd 10.patch
	((status == 1))
	[[ ! -e $tree/evil && ! -e $tree/usr/evil && ! -e $tree/../evil ]]
}

@test "a target that is not there is named with what is there" {
	printf 'Target: /usr/src/other-1.0\n@@ -1 +1 @@\n' | write 10.patch
	amd 10.patch
	failed_with E_CONFIG "amd.patches: 10.patch: there is no /usr/src/other-1.0; there is: hello-1.0"
}

@test "a target outside of /usr/src is refused" {
	printf 'Target: /usr/src/../../etc\n@@ -1 +1 @@\n' | write 10.patch
	amd 10.patch
	failed_with E_CONFIG "is not a folder below /usr/src"
}

@test "sev-guest as a module is loaded at boot" {
	as_user touch "$tree/lib/modules/6.1.0-x/kernel/sev-guest.ko.xz"
	step 52-sev-guest --tree "$tree" --needed
	((status == 0)) || { echo "$output" && false; }
	equal "$(cat "$tree/etc/modules-load.d/cc-sev-guest.conf")" sev-guest
}

@test "sev-guest that is built in needs nothing" {
	echo kernel/drivers/virt/coco/sev-guest/sev-guest.ko | as_user tee "$tree/lib/modules/6.1.0-x/modules.builtin" >/dev/null
	step 52-sev-guest --tree "$tree" --needed
	((status == 0)) || { echo "$output" && false; }
	[[ ! -e $tree/etc/modules-load.d/cc-sev-guest.conf ]]
}

@test "a kernel without sev-guest is told, and refused where it is needed" {
	step 52-sev-guest --tree "$tree" --kernels linux-good
	((status == 0)) || { echo "$output" && false; }
	[[ $output == *"kernel 6.1.0-x has no sev-guest"*linux-good* ]]
	step 52-sev-guest --tree "$tree" --needed --kernels linux-good
	failed_with E_PACKAGE "kernel 6.1.0-x has no sev-guest"
}

@test "the view that modules are built in goes with all that is mounted in it, on an overlay or as a copy" {
	local kind
	as_user mkdir -p "$dir/a tree/sys"
	as_user touch "$dir/a tree/file"
	for kind in overlay copy; do
		run in_namespace bash -euc '
			tree=$1/"a tree"
			[[ $3 == overlay ]] || mount() { [[ $* != *"-t overlay"* ]] && command mount "$@"; }
			. "$2/lib/dkms.sh"
			view_begin "$1/a view"
			[[ -e $view/file ]]
			echo changed >"$view/file"
			mount --rbind /sys "$view/sys"
			view_end "$1/a view"
			[[ ! -e $1/"a view" && ! -s $tree/file && -d /sys/kernel ]]' - "$dir" "$BATS_TEST_DIRNAME/.." "$kind"
		((status == 0)) || { echo "$kind: $output" && return 1; }
	done
}

# snpguest_says TEXT: a program in the tree that says TEXT of itself; 55-keys and 18-snpguest have the same check.
snpguest_says() {
	as_user install -d "$tree/usr/local/bin"
	printf '#!/bin/sh\necho "%s"\n' "$1" | as_user tee "$tree/usr/local/bin/snpguest" >/dev/null
	as_user chmod 755 "$tree/usr/local/bin/snpguest"
	step 55-keys --tree "$tree" --key-source tee-derived --root-key-source tee-derived
}

@test "a snpguest that the guest cannot use is refused when the image is built" {
	local version
	for version in 'snpguest 0.10.0' 'snpguest 0.11.2' 'snpguest 1.0.0'; do
		snpguest_says "$version"
		((status == 0)) || { echo "$version: $output" && return 1; }
		grep -qx /usr/local/bin/snpguest "$tree/usr/lib/cc/initrd-programs"
	done
	for version in 'snpguest 0.9.2' 'snpguest 0.1.0'; do
		snpguest_says "$version"
		failed_with E_PACKAGE "'$version' is too old"
	done
	for version in '' 'something 0.11.0' 'snpguest'; do
		snpguest_says "$version"
		failed_with E_PACKAGE 'does not say that it is snpguest'
	done
}
