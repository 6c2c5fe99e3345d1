#!/usr/bin/env bash
# Install packages into a tree: from the pool of an extracted ISO, and from further package sources.
#
# Parameters:
#   --tree DIR               the tree to change
#   --package NAME...        a package, or package=version
#   [--pool DIR]             the extracted ISO: dists/ and pool/
#   [--pool-suite NAME]      its codename, a folder of dists/
#   [--host-suite NAME]      a codename: take packages from the mirrors that this host is configured for
#   [--source TEXT]...       an apt source line, or a file of them, for what the pool does not have
#   [--keyring FILE]         a further keyring that may sign the sources
#   --archives PATH          where downloaded packages are kept between builds
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: only for --source lines that name a remote host
# Output: the tree, with the packages configured and no initrd made yet

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/apt.sh"
step "$@"

# Everything that apt needs for this step lies in the tree's /run, which is a tmpfs of this namespace.
run="$tree/run/cc-packages"

write_sources() {
	local item components
	mkdir -p -- "$run/lists/partial" "$run/archives" "$run/trusted" "$run/pool" "$run/sources.d" "$archives"
	mount --bind "$archives" "$run/archives"
	mkdir -p "$run/archives/partial"
	: >"$run/sources.list"
	if [[ -n $pool ]]; then
		components=$(cd "$pool/dists/$pool_suite" && find . -mindepth 2 -maxdepth 2 -name 'binary-*' -printf '%h\n' | sed 's,^\./,,' | sort -u)
		mount --bind -o ro "$pool" "$run/pool"
		# check-date: the Release file of an ISO is as old as the ISO.
		printf 'deb [check-date=no] file:/run/cc-packages/pool %s %s\n' "$pool_suite" "${components//$'\n'/ }" >>"$run/sources.list"
	fi
	[[ -z $host_suite ]] || apt_sources "$host_suite" '' >>"$run/sources.list"
	for item in "${source[@]}"; do
		if [[ ! -e $item ]]; then
			printf '%s\n' "$item" >>"$run/sources.list"
		elif grep -q '^Types:' "$item"; then
			cp -- "$item" "$run/sources.d/${item##*/}.sources"
		else
			cat -- "$item" >>"$run/sources.list"
		fi
	done
	for item in "$tree"/etc/apt/trusted.gpg.d/*.{gpg,asc} "$tree"/usr/share/keyrings/*.gpg "$keyring"; do
		[[ ! -f $item ]] || cp -- "$item" "$run/trusted/"
	done
	# The host knows how the outside is reached; what it knows must not stay in the tree.
	apt_acquire >"$run/apt.conf"
	if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
		cp /etc/ssl/certs/ca-certificates.crt "$run/ca.crt"
		printf 'Acquire::https::CaInfo "/run/cc-packages/ca.crt";\n' >>"$run/apt.conf"
	fi
}

# apt_tree OPERATION...: apt-get in the tree; its failure in our words.
apt_tree() {
	in_tree "$tree" env APT_CONFIG=/run/cc-packages/apt.conf apt-get -q -y \
		-o Dir::Etc::SourceList=/run/cc-packages/sources.list -o Dir::Etc::SourceParts=/run/cc-packages/sources.d \
		-o Dir::Etc::TrustedParts=/run/cc-packages/trusted \
		-o Dir::State::Lists=/run/cc-packages/lists -o Dir::Cache::archives=/run/cc-packages/archives \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
		-o APT::Update::Error-Mode=any -o Dpkg::Use-Pty=0 \
		-o DPkg::Options::=--force-unsafe-io -o DPkg::Options::=--force-confold \
		"$@" 2>&1 | tee "$run/log" >&2 || apt_blame "$run/log" "apt-get $1 failed"
}

tree_mounts "$tree"
tree_network "$tree"
write_sources

# Services must not start, and the initrd is made once, at the end of the stage.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
in_tree "$tree" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs
ln -sf /bin/true "$tree/usr/sbin/update-initramfs"

log "installing ${#package[@]} packages and what they depend on"
apt_tree update
apt_tree install --no-remove -- "${package[@]}"

rm -f "$tree/usr/sbin/policy-rc.d" "$tree/usr/sbin/update-initramfs"
in_tree "$tree" dpkg-divert --quiet --local --rename --remove /usr/sbin/update-initramfs
