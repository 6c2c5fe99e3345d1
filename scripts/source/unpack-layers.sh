#!/usr/bin/env bash
# Merge squashfs layers into one tree as overlayfs would show them: whiteouts, opaque directories and all.
#
# Parameters:
#   --tree PATH              the tree; must not exist yet
#   --layer FILE...          squashfs layers, lowest first
# Runs in: namespace
# Network: no
# Output: PATH, complete or not at all, with owners, modes, times, hard links and extended attributes of the layers;
#   device nodes and trusted.* attributes are left out

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need unsquashfs sqfs2tar tar python3 setpriv

# shellcheck disable=SC2154 # parameters
main() {
	[[ ! -e $tree ]] || die E_STEP_ARGUMENT "--tree: exists already: '$tree'"
	local partial=$tree.partial file
	rm -rf -- "$partial"
	mkdir -p -- "$partial"
	# shellcheck disable=SC2064 # the value of now
	trap "rm -rf -- '$partial'" EXIT

	log "layer ${layer[0]}"
	unpack_lowest "${layer[0]}" "$partial/tree" || {
		rm -rf -- "$partial/tree"
		mkdir -- "$partial/tree"
		lay_over "${layer[0]}" "$partial/tree"
	}
	for file in "${layer[@]:1}"; do
		log "layer $file"
		lay_over "$file" "$partial/tree"
	done
	mv -T -- "$partial/tree" "$tree"
}

# Most of the time goes into xz, and unsquashfs decompresses on all processors; sqfs2tar uses one. But unsquashfs knows
# no overlay, and without privilege it cannot leave a device node out, except by name. So: the nodes are excluded by
# name, and whatever else it stumbles over (it then exits with 2) is left to the other way. The capabilities are dropped
# so that this is the same for root.
unpack_lowest() { # FILE TREE
	unsquashfs -lln -no-progress "$1" 2>/dev/null |
		sed -nE 's/^[bc][^ ]{9} +[^ ]+ +[0-9]+, *[0-9]+ [^ ]+ [^ ]+ squashfs-root\/(.+)$/\1/p' >"$2.nodes"
	setpriv --bounding-set=-mknod,-sys_admin -- \
		unsquashfs -quiet -no-progress -no-wildcards -exclude-file "$2.nodes" -dest "$2" "$1" >/dev/null 2>&1
}

lay_over() { # FILE TREE
	local log
	log=$(mktemp)
	if { sqfs2tar --root-becomes . "$1" | "$scripts_dir/lib/overlay.py" "$2" |
		tar --extract --directory "$2" --numeric-owner --same-owner --same-permissions --xattrs --xattrs-include='*' \
			--warning=no-unknown-keyword; } 2>"$log"; then
		cat -- "$log" >&2
		rm -f -- "$log"
		return
	fi
	local reason
	reason=$(<"$log")
	rm -f -- "$log"
	# tar does not always name the reason: a short write is all that it sees.
	if [[ $reason == *'No space left on device'* ]] || (($(df --output=avail -B 1 -- "$2" | tail -n 1) < 65536)); then
		die E_SPACE "the disk of '$tree' is full" "free some space, or choose another place: --work-dir"
	fi
	printf '%s\n' "$reason" >&2
	die E_ISO_KIND "the layer '$1' cannot be unpacked: ${reason%%$'\n'*}" "check the ISO with its sha256"
}

main
