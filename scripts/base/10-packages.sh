#!/usr/bin/env bash
# Install packages into a tree: from the pool of an extracted ISO, and from further package sources.
#
# Parameters:
#   --tree DIR               the tree to change
#   --package NAME...        a package, or package=version
#   [--replaced NAME]...     a package that goes first: one of the list takes its place
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
# shellcheck source=../lib/packages.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/packages.sh"
step "$@"

# apt would refuse: nothing else may be removed here.
for name in "${replaced[@]}"; do
	[[ -e $tree/var/lib/dpkg/info/$name.list ]] || continue
	said=$(in_tree "$tree" dpkg --purge "$name" 2>&1) || die E_PACKAGE "$name cannot make room for another package: $(end_of "$said")"
done

packages_begin
[[ -z $pool ]] || packages_pool "$pool" "$pool_suite"
[[ -z $host_suite ]] || packages_host "$host_suite" ''
packages_source "${source[@]}"
packages_keyring "$keyring"

log "installing ${#package[@]} packages and what they depend on"
packages_update
apt_tree install --no-remove -- "${package[@]}"
packages_end
