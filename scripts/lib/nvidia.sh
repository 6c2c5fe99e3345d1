# shellcheck shell=bash
# NVIDIA's driver in a tree. Sourced after step.sh, tree.sh, apt.sh, packages.sh and dkms.sh.

# Packages that carry the version of the driver.
nvidia_globs='*nvidia* libcuda1 libcuda1-* libnvcuvid* libnvoptix*'

# nvidia_local FILE: a driver package; or NVIDIA's local-repository package, which is no more than an archive in a folder.
# Whoever configured its sha256 trusts it.
nvidia_local() {
	local name=${1##*/} content packages
	content=$tree$packages_run/local/${name%.deb}.d
	mkdir -p "$content"
	dpkg-deb -x "$1" "$content" || die E_PACKAGE "$1 is not a Debian package" "check nvidia.debs"
	packages=$(find "$content" -name 'Packages*' -type f -print -quit)
	if [[ -n $packages ]]; then
		packages=${packages%/*}
		packages_source "deb [trusted=yes] file:${packages#"$tree"} ./"
	else
		rm -rf "$content"
		cp -- "$1" "$tree$packages_run/local/$name"
		local_debs+=("$packages_run/local/$name")
	fi
}

# nvidia_pin VERSION PACKAGE: hold every driver package at one version. PACKAGE tells which versions there are.
nvidia_pin() {
	local found
	[[ -n $1 ]] || return 0
	found=$(packages_apt apt-cache madison "$2" 2>/dev/null | awk -F ' *\\| *' '{ print $2 }' | sort -uV | paste -sd ' ')
	[[ -n $found ]] || return 0 # apt will say it.
	grep -qE "(^| )([0-9]+:)?${1//./\\.}([^0-9]|\$)" <<<"$found" ||
		die E_PACKAGE "nvidia.version: the package sources have no driver '$1'; there is: $found" \
			"name one of these, or add the archive that has it: nvidia.repository"
	packages_pin "Explanation: nvidia.version"$'\n'"Package: $nvidia_globs"$'\n'"Pin: version /^([0-9]+:)?${1//./\\.}([^0-9]|\$)/"$'\n'"Pin-Priority: 1001"
}

# nvidia_version_of_libraries TREE: the version of the user space.
nvidia_version_of_libraries() {
	find "$1/usr/lib" -name 'libnvidia-ml.so.[0-9]*.[0-9]*' -printf '%f\n' | sed 's/^libnvidia-ml\.so\.//' | sort -uV | tail -n 1
}

# nvidia_check KERNEL: modules and user space fit together, or the driver refuses to work on the machine.
nvidia_check() {
	local module library
	module=$(in_tree "$tree" modinfo -k "$1" -F version nvidia 2>/dev/null) || true
	[[ -n $module ]] || die E_PACKAGE "there is no module nvidia for kernel $1 after all packages were installed" \
		"see the log of this step"
	library=$(nvidia_version_of_libraries "$tree")
	[[ $module == "$library" ]] || die E_PACKAGE "the kernel modules are version $module, the libraries are ${library:-missing}" \
		"set nvidia.version to one that the package sources have of both"
	log "driver $module for kernel $1"
}
