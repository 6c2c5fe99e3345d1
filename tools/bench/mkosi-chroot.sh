#!/usr/bin/env bash
# Make a folder with Debian 13 in it that has mkosi and all that it calls, for the comparison in bench.ts.
#
# Parameters:
#   --output PATH   the folder to make; nothing is done where it is there already
# Runs in: host
# Network: yes
# Output: PATH, complete or not at all; standard output: the version of mkosi. Needs root.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"
# shellcheck source=../../scripts/lib/apt.sh
. "$scripts_dir/lib/apt.sh"
need mmdebstrap apt-get apt-config

packages=(mkosi systemd-repart systemd cryptsetup-bin e2fsprogs dosfstools mtools fdisk kmod cpio zstd xz-utils
	debian-archive-keyring ca-certificates)

# shellcheck disable=SC2154 # parameters
main() {
	((EUID == 0)) || die E_HOST_TOOL "mkosi is measured as root, in a chroot" "run the benchmark as root"
	[[ -x $output/usr/bin/mkosi ]] || make
	chroot "$output" mkosi --version
}

make() {
	local work=$output.partial
	rm -rf -- "$work"
	mkdir -p -- "$work"
	apt_acquire >"$work/acquire.conf"
	mapfile -t sources < <(apt_sources trixie main)
	((${#sources[@]})) || die E_NETWORK "no Debian mirror is configured on this host" "add one to /etc/apt/sources.list"
	mmdebstrap --mode=root --variant=apt --format=directory --include="${packages[*]}" \
		--aptopt="$work/acquire.conf" --aptopt='Apt::Install-Recommends "false"' \
		trixie "$work/tree" "${sources[@]}" </dev/null >&2 || die E_PACKAGE "the chroot for mkosi cannot be made"
	mkdir "$work/tree/bench"
	mv -T -- "$work/tree" "$output"
	rm -rf -- "$work"
}

main
