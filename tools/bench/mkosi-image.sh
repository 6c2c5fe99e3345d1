#!/usr/bin/env bash
# Build a disk with a LUKS2 root by mkosi: what the builder of this project is compared with in bench.ts.
#
# What both do differently is to mkosi's advantage: it makes no initrd, no boot loader, no second partition and no
# qcow2, and takes its packages from its cache, without asking the mirror.
#
# Parameters:
#   --chroot DIR         Debian 13 with mkosi, as mkosi-chroot.sh makes it
#   --package NAME...    to install
#   [--download FLAG]    download what the package cache lacks; it is kept in the chroot
# Runs in: namespace
# Network: with --download
# Output: bench/out/image.raw in the chroot, replaced at each run. Needs root.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
# shellcheck source=../../scripts/lib/tree.sh
. "$scripts_dir/lib/tree.sh"
# shellcheck source=../../scripts/lib/apt.sh
. "$scripts_dir/lib/apt.sh"
step "$@"

# shellcheck disable=SC2154 # parameters
bench=$chroot/bench

configure() {
	local apt=$bench/work/mkosi.sandbox/etc/apt
	rm -rf -- "$bench/work" "$bench/out"
	mkdir -p "$bench"/{work/mkosi.repart,out,cache,packages} "$apt"/{apt.conf.d,sources.list.d}
	# Its own choice of mirrors is not always reachable; this file is where it would write that down.
	apt_sources trixie main | apt_without_key | awk '{ print "Types: deb\nURIs: " $2 "\nSuites: " $3 "\nComponents: main\n" \
		"Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" }' >"$apt/sources.list.d/mkosi.sources"
	apt_acquire | grep -v '^Dir' >"$apt/apt.conf.d/50host"
	(umask 077 && head -c 32 /dev/urandom | base64 -w 0 >"$bench/work/mkosi.passphrase")
	cat >"$bench/work/mkosi.conf" <<-CONF
		[Distribution]
		Distribution=debian
		Release=trixie

		[Output]
		Format=disk
		OutputDirectory=/bench/out
		Output=image

		[Build]
		CacheDirectory=/bench/cache
		PackageCacheDirectory=/bench/packages
		WorkspaceDirectory=/bench
		Incremental=no
		Environment=INITRD=No

		[Content]
		Bootable=no
		WithDocs=no
		Packages=
	CONF
	printf '\t%s\n' "${package[@]}" >>"$bench/work/mkosi.conf"
	cat >"$bench/work/mkosi.repart/00-root.conf" <<-CONF
		[Partition]
		Type=root
		Format=ext4
		CopyFiles=/
		Encrypt=key-file
		SizeMinBytes=1G
	CONF
}

configure
# mkosi changes how / is propagated, so that has to be a mount point.
mount --bind "$chroot" "$chroot"
tree_mounts "$chroot"
tree_network "$chroot"
# Into the namespace's own /dev: mkosi starts from what the host has there.
mount --rbind /dev "$chroot/dev"
words=(--directory /bench/work --force)
[[ -n $download ]] || words+=(--cache-only=always)
in_tree "$chroot" mkosi "${words[@]}" >&2
