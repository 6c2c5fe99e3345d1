#!/usr/bin/env bash
# Install NVIDIA's driver with open kernel modules: signed ones of the distribution, or built here for the tree's kernel.
#
# What builds modules is installed beside the tree, never into it. In names of packages {kernel} stands for the release of
# the tree's kernel.
#
# Parameters:
#   --tree DIR               the tree to change
#   --package NAME...        a package of the driver's user space
#   --probe NAME             the package whose versions are those of the driver
#   [--prebuilt NAME]...     a package with modules; with none of these they are built
#   [--build NAME]...        a package with the source of the modules, or that it takes to build them
#   [--version TEXT]         version of the driver, or the beginning of the package version
#   [--patch FILE]...        a patch for the source of the modules
#   [--deb FILE]...          a driver package, or a local-repository package of NVIDIA
#   [--repository TEXT]      a further apt source line, preferred over the others
#   [--repository-key FILE]  the one key that may sign it
#   [--sign-key FILE]        private key for the modules that are built
#   [--sign-certificate FILE]  its certificate
#   [--pool DIR]             the extracted ISO: dists/ and pool/
#   [--pool-suite NAME]      its codename, a folder of dists/
#   [--host-suite NAME]      a codename: take packages from the mirrors that this host is configured for
#   [--host-components TEXT] its components, for example "main contrib non-free"
#   [--source TEXT]...       an apt source line, or a file of them
#   [--keyring FILE]         a further keyring that may sign the sources
#   --archives PATH          where downloaded packages are kept between builds
#   --cache PATH             where built modules are kept between builds
#   --work PATH              a folder for the time of this step
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package sources
# Output: driver, firmware and modules in the tree; nothing loads them

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/apt.sh"
# shellcheck source=../lib/packages.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/packages.sh"
# shellcheck source=../lib/dkms.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/dkms.sh"
# shellcheck source=../lib/patch.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/patch.sh"
# shellcheck source=../lib/nvidia.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/nvidia.sh"
step "$@"

kernel=$(kernel_of "$tree")
[[ -n $kernel ]] || die E_PACKAGE "no kernel is installed in the tree" "name a kernel package: os.kernel in cc.yaml"
grep -qs '^CONFIG_DRM=[my]' "$tree/boot/config-$kernel" ||
	die E_PACKAGE "kernel $kernel is built without DRM, which NVIDIA's driver needs" "set os.kernel to a kernel for machines with a GPU"

# shellcheck disable=SC2034 # for lib/nvidia.sh
local_debs=()
dkms_trees=()

sources() {
	local item lines
	[[ -z $pool ]] || packages_pool "$pool" "$pool_suite"
	[[ -z $host_suite ]] || packages_host "$host_suite" "$host_components"
	packages_source "${source[@]}"
	packages_keyring "$keyring"
	for item in "${deb[@]}"; do nvidia_local "$item"; done
	if [[ -n $repository ]]; then
		packages_signed_source "$repository" "$repository_key"
		packages_pin "Explanation: nvidia.repository"$'\n'"Package: $nvidia_globs"$'\n'"Pin: origin \"$(sed -E 's,.*[a-z]+://([^/:]*).*,\1,' <<<"$repository")\""$'\n'"Pin-Priority: 900"
	fi
	apt_tree update
	nvidia_pin "$version" "$probe"
}

patch_sources() {
	local item
	for item in "${patch[@]}"; do apply_patch nvidia.patches "$item"; done
}

# built_key: what the modules are made of, the signature aside. apt names every package that it would install.
built_key() {
	{
		apt_simulate "${build[@]//\{kernel\}/$kernel}"
		cat -- "$scripts_dir/lib/dkms.sh" "${patch[@]}"
		printf '%s %s\n' "$kernel" "$source_date_epoch"
	} | sha256sum | cut -d ' ' -f 1
}

build_driver() {
	local key made
	key=$(built_key)
	made=$cache/$key
	if [[ -d $made && -z $sign_key ]]; then
		log "the modules are there from an earlier build"
	else
		rm -rf "$work.modules"
		# A view to sign in is needed anyway, so that a signed build is not shortened.
		build_modules "$work" "$kernel" "$work.modules" patch_sources "${build[@]//\{kernel\}/$kernel}"
		[[ -n $(find "$work.modules" -name nvidia.ko) ]] || die E_PACKAGE "the packages ${build[*]} have no source of a module nvidia"
		mkdir -p "$cache"
		rm -rf "$made"
		cp -R "$work.modules" "$made.partial"
		mv -T "$made.partial" "$made"
		[[ -z $sign_key ]] || sign_modules "$kernel" "$sign_key" "$sign_certificate" "$work.modules"
	fi
	install -d "$tree/lib/modules/$kernel/updates/cc-nvidia"
	if [[ -n $sign_key ]]; then made=$work.modules; fi
	install -m 644 "$made"/*.ko "$tree/lib/modules/$kernel/updates/cc-nvidia/"
	rm -rf "$work.modules"
}

packages_begin
trap 'view_end "$work"' EXIT
sources
for name in "${prebuilt[@]//\{kernel\}/$kernel}"; do
	packages_apt apt-cache show "$name" >/dev/null 2>&1 ||
		die E_PACKAGE "the package sources have no '$name': no signed modules for kernel $kernel" \
			"take the kernel from the same sources (os.kernel), another nvidia.branch, or nvidia.modules: dkms"
done
log "installing the driver"
apt_tree install --no-remove -- "${package[@]//\{kernel\}/$kernel}" "${prebuilt[@]//\{kernel\}/$kernel}" "${local_debs[@]}"
((${#prebuilt[@]})) || build_driver
in_tree "$tree" depmod "$kernel"
nvidia_check "$kernel"
packages_end
