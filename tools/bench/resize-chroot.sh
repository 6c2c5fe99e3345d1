#!/usr/bin/env bash
# Make a folder with Debian 12 in it that has virt-resize and the kernel of its appliance, for the comparison in resize.sh.
#
# Parameters:
#   --output PATH   the folder to make; nothing is done where it is there already
# Runs in: host
# Network: yes
# Output: PATH, complete or not at all; standard output: the version of virt-resize. Needs root.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
# shellcheck source=../../scripts/lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/apt.sh"
step "$@"
need mmdebstrap apt-get apt-config

# Recommends are left out: what supermin builds the appliance from has to be named.
packages=(guestfs-tools supermin linux-image-amd64 qemu-system-x86 ipxe-qemu seabios dosfstools gdisk fdisk parted
	e2fsprogs ca-certificates)

make() {
	local work=$output.partial
	rm -rf -- "$work"
	mkdir -p -- "$work"
	apt_acquire >"$work/acquire.conf"
	mapfile -t sources < <(apt_sources bookworm main)
	((${#sources[@]})) || die E_NETWORK "no Debian mirror is configured on this host" "add one to /etc/apt/sources.list"
	mmdebstrap --mode=root --variant=apt --format=directory --include="${packages[*]}" \
		--aptopt="$work/acquire.conf" --aptopt='Apt::Install-Recommends "false"' \
		bookworm "$work/tree" "${sources[@]}" </dev/null >&2 || die E_PACKAGE "the chroot for virt-resize cannot be made"
	mkdir "$work/tree/bench"
	mv -T -- "$work/tree" "$output"
	rm -rf -- "$work"
}

((EUID == 0)) || die E_HOST_TOOL "virt-resize is measured as root, in a chroot" "run the benchmark as root"
[[ -x $output/usr/bin/virt-resize ]] || make
chroot "$output" virt-resize --version
