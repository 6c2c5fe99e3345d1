#!/usr/bin/env bash
# Apply a directory of packages, patches and hooks to a tree, in lexical order: AMD's kernels, drivers and firmware.
#
# A *.deb is installed with what it depends on. A *.patch has a line "Target: NAME" before its first hunk: a folder below
# /usr/src, or an installed package that has one folder there. DKMS modules of patched folders are built for the kernel
# of the tree. A *.sh runs in the tree, as root there and without network.
#
# Parameters:
#   --tree DIR               the tree to change
#   --entry FILE...          a .deb, .patch or .sh; applied in the order given
#   [--pool DIR]             the extracted ISO, for what packages depend on
#   [--pool-suite NAME]      its codename, a folder of dists/
#   [--host-suite NAME]      a codename: take packages from the mirrors that this host is configured for
#   [--source TEXT]...       an apt source line, or a file of them
#   [--keyring FILE]         a further keyring that may sign the sources
#   --archives PATH          where downloaded packages are kept between builds
#   --work PATH              a folder for the time of this step
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: only for what packages depend on
# Output: the tree with all entries applied; or the first that cannot be, named, with its hunk

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
step "$@"
need patch

# Source trees that a patch changed and that dkms builds.
dkms_trees=()

# sources_ready: apt, where something asks for it.
sources_ready() {
	[[ -z ${ready-} ]] || return 0
	ready=1
	packages_begin
	[[ -z $pool ]] || packages_pool "$pool" "$pool_suite"
	[[ -z $host_suite ]] || packages_host "$host_suite" ''
	packages_source "${source[@]}"
	packages_keyring "$keyring"
	apt_tree update
}

install_deb() { # FILE
	local name=${1##*/}
	sources_ready
	mkdir -p "$tree$packages_run/local"
	cp -- "$1" "$tree$packages_run/local/$name"
	log "installing $name"
	# A kernel or firmware that AMD ships may be older than what is there.
	apt_tree install --allow-downgrades -- "$packages_run/local/$name"
}

run_hook() { # FILE
	mkdir -p "$tree/run/cc-amd"
	install -m 755 -- "$1" "$tree/run/cc-amd/hook"
	log "running ${1##*/}"
	local program=(/run/cc-amd/hook)
	[[ $(head -c 2 -- "$1") == '#!' ]] || program=(sh "${program[@]}")
	in_tree "$tree" unshare --net -- "${program[@]}" >&2 ||
		die E_PATCH "the hook ${1##*/} failed with exit status $?" "see the log of this step"
}

tree_mounts "$tree"
for file in "${entry[@]}"; do
	case $file in
	*.deb) install_deb "$file" ;;
	*.patch)
		apply_patch amd.patches "$file"
		[[ ! -f $tree$patched/dkms.conf ]] || dkms_trees+=("${patched##*/}")
		;;
	*.sh) run_hook "$file" ;;
	*) die E_CONFIG "amd.patches: ${file##*/} is neither .deb nor .patch nor .sh" ;;
	esac
done

if ((${#dkms_trees[@]})); then
	kernel=$(kernel_of "$tree")
	sources_ready
	trap 'view_end "$work"' EXIT
	build_modules "$work" "$kernel" "$work.modules" true dkms "linux-headers-$kernel"
	install -d "$tree/lib/modules/$kernel/updates/cc-amd"
	install -m 644 "$work.modules"/*.ko "$tree/lib/modules/$kernel/updates/cc-amd/"
	rm -rf "$work.modules"
fi
[[ -z ${ready-} ]] || packages_end
