# shellcheck shell=bash
# Patches for source trees of a tree. Sourced after step.sh and tree.sh.

# patch_folder KEY FILE: the folder in the tree that a patch is for, which its line "Target: NAME" names: a folder below
# /usr/src, or an installed package that has one there. KEY is the key of cc.yaml for messages.
patch_folder() {
	local target found name=${2##*/}
	target=$(sed -n '/^@@ /q;s/^Target:[[:space:]]*//p' "$2" | sed 's/[[:space:]]*$//' | head -n 1)
	[[ -n $target ]] || die E_CONFIG "$1: $name has no line 'Target: …' before its first hunk" \
		"name a folder below /usr/src, or a package that has one"
	if [[ $target == /* ]]; then
		[[ $target =~ ^/usr/src/[A-Za-z0-9][A-Za-z0-9._+~-]*$ ]] ||
			die E_CONFIG "$1: $name: 'Target: $target' is not a folder below /usr/src"
		found=$target
	else
		found=$(in_tree "$tree" dpkg-query -L "$target" 2>/dev/null | grep -oE '^/usr/src/[^/]+$' | sort -u) || true
		[[ -n $found && $found != *$'\n'* ]] ||
			die E_CONFIG "$1: $name: the package '$target' does not have one folder below /usr/src, but: ${found:-none}" \
				"name the folder itself: Target: /usr/src/NAME-VERSION"
	fi
	[[ -d $tree$found && ! -L $tree$found ]] ||
		die E_CONFIG "$1: $name: there is no $found; there is: $(find "$tree/usr/src" -mindepth 1 -maxdepth 1 -printf '%f ' 2>/dev/null)" \
			"install the package of these sources before, or correct the line Target"
	printf '%s' "$found"
}

# apply_patch KEY FILE: as a whole or not at all: without fuzz, and tried before. $patched is the folder.
apply_patch() {
	local message
	patched=$(patch_folder "$1" "$2") || exit 1
	log "patching $patched with ${2##*/}"
	if ! message=$(patch --dry-run --forward --batch --fuzz=0 --strip=1 --reject-file=- -d "$tree$patched" -i "$2" 2>&1); then
		printf '%s\n' "$message" >&2
		die E_PATCH "${2##*/} does not apply to $patched: $(blame_hunk "$message")" \
			"make the patch for the version that is in the tree"
	fi
	patch --forward --batch --fuzz=0 --strip=1 --no-backup-if-mismatch --quiet -d "$tree$patched" -i "$2" >&2
}

# blame_hunk MESSAGE: the file and the hunk that patch(1) complains of.
blame_hunk() {
	awk '
		/^(checking|patching) file / { sub(/^[a-z]+ file /, ""); file = $0 }
		/^Hunk #[0-9]+ FAILED/ && !done { sub(/ -- .*/, ""); printf "%s, %s", file, $0; done = 1 }
		/^(can.t find file to patch|Reversed|\|---|.*malformed patch|.*Only garbage)/ && !first { first = $0 }
		END { if (!done) print (first == "" ? $0 : first) }' <<<"$1"
}
