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
	local sources
	if [[ -n $host_suite ]]; then
		sources=$(apt_sources "$host_suite" '')
		packages_source "$sources"
	fi
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

# patch_folder FILE: the folder in the tree that a patch is for.
patch_folder() {
	local target found
	target=$(sed -n '/^@@ /q;s/^Target:[[:space:]]*//p' "$1" | sed 's/[[:space:]]*$//' | head -n 1)
	[[ -n $target ]] || die E_CONFIG "amd.patches: ${1##*/} has no line 'Target: …' before its first hunk" \
		"name a folder below /usr/src, or a package that has one"
	if [[ $target == /* ]]; then
		[[ $target =~ ^/usr/src/[A-Za-z0-9][A-Za-z0-9._+~-]*$ ]] ||
			die E_CONFIG "amd.patches: ${1##*/}: 'Target: $target' is not a folder below /usr/src"
		found=$target
	else
		found=$(in_tree "$tree" dpkg-query -L "$target" 2>/dev/null | grep -oE '^/usr/src/[^/]+$' | sort -u) || true
		[[ -n $found && $found != *$'\n'* ]] ||
			die E_CONFIG "amd.patches: ${1##*/}: the package '$target' does not have one folder below /usr/src, but: ${found:-none}" \
				"name the folder itself: Target: /usr/src/NAME-VERSION"
	fi
	[[ -d $tree$found && ! -L $tree$found ]] ||
		die E_CONFIG "amd.patches: ${1##*/}: the tree has no $found; there is: $(find "$tree/usr/src" -mindepth 1 -maxdepth 1 -printf '%f ')" \
			"install its package with a .deb that sorts before the patch, or with os.packages"
	printf '%s' "$found"
}

apply_patch() { # FILE
	local folder message
	folder=$(patch_folder "$1") || exit 1
	log "patching $folder with ${1##*/}"
	# As a whole or not at all: without fuzz, and tried before.
	if ! message=$(patch --dry-run --forward --batch --fuzz=0 --strip=1 --reject-file=- -d "$tree$folder" -i "$1" 2>&1); then
		printf '%s\n' "$message" >&2
		die E_PATCH "${1##*/} does not apply to $folder: $(blame_hunk "$message")" \
			"make the patch for the version that is in the tree"
	fi
	patch --forward --batch --fuzz=0 --strip=1 --no-backup-if-mismatch --quiet -d "$tree$folder" -i "$1" >&2
	[[ ! -f $tree$folder/dkms.conf ]] || dkms_trees+=("${folder##*/}")
}

# blame_hunk MESSAGE: the file and the hunk that patch(1) complains of.
blame_hunk() {
	awk '
		/^(checking|patching) file / { sub(/^[a-z]+ file /, ""); file = $0 }
		/^Hunk #[0-9]+ FAILED/ && !done { sub(/ -- .*/, ""); printf "%s, %s", file, $0; done = 1 }
		/^(can.t find file to patch|Reversed|\|---|.*malformed patch|.*Only garbage)/ && !first { first = $0 }
		END { if (!done) print (first == "" ? $0 : first) }' <<<"$1"
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
	*.patch) apply_patch "$file" ;;
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
