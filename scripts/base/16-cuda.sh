#!/usr/bin/env bash
# Install CUDA from the distribution or from NVIDIA's own archive. The driver stays as it is.
#
# Parameters:
#   --tree DIR               the tree to change
#   --package NAME...        a package of CUDA
#   [--repository TEXT]      a further apt source line
#   [--repository-key FILE]  the one key that may sign it
#   [--pool DIR]             the extracted ISO: dists/ and pool/
#   [--pool-suite NAME]      its codename, a folder of dists/
#   [--host-suite NAME]      a codename: take packages from the mirrors that this host is configured for
#   [--host-components TEXT] its components, for example "main contrib non-free"
#   [--source TEXT]...       an apt source line, or a file of them
#   [--keyring FILE]         a further keyring that may sign the sources
#   --archives PATH          where downloaded packages are kept between builds
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package sources
# Output: the packages in the tree

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/apt.sh"
# shellcheck source=../lib/packages.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/packages.sh"
# shellcheck source=../lib/nvidia.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/nvidia.sh"
step "$@"

packages_begin
[[ -z $pool ]] || packages_pool "$pool" "$pool_suite"
[[ -z $host_suite ]] || packages_host "$host_suite" "$host_components"
packages_source "${source[@]}"
packages_keyring "$keyring"
[[ -z $repository ]] || packages_signed_source "$repository" "$repository_key"
# NVIDIA's archive has drivers, too, and newer ones: what is installed is what fits the modules.
version=$(nvidia_version_of_libraries "$tree")
apt_tree update
[[ -z $version ]] ||
	packages_pin "Explanation: the driver that is installed"$'\n'"Package: $nvidia_globs"$'\n'"Pin: version /^([0-9]+:)?${version//./\\.}([^0-9]|\$)/"$'\n'"Pin-Priority: 1001"
log "installing ${package[*]}"
apt_tree install --no-remove -- "${package[@]}"
[[ $(nvidia_version_of_libraries "$tree") == "$version" ]] ||
	die E_PACKAGE "the packages ${package[*]} bring another driver, $(nvidia_version_of_libraries "$tree") beside $version" \
		"leave out packages that bring a driver, as cuda-drivers and cuda: nvidia.cuda.packages"
packages_end
