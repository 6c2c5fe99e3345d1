#!/usr/bin/env bash
# Merge squashfs layers into one tree as overlayfs would show them: whiteouts, opaque directories and all.
#
# Parameters:
#   --tree PATH              the tree; must not exist yet
#   --layer FILE...          squashfs layers, lowest first
# Runs in: namespace
# Network: no
# Output: PATH, complete or not at all, with owners, modes, times, hard links, capabilities and user.* attributes of the
#   layers; device nodes and all other attributes are left out

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need unsquashfs python3 setpriv

# shellcheck disable=SC2154 # parameters
main() {
	[[ ! -e $tree ]] || die E_STEP_ARGUMENT "--tree: exists already: '$tree'"
	local partial=$tree.partial reason status=0
	rm -rf -- "$partial"
	mkdir -p -- "$partial"
	# shellcheck disable=SC2064 # the value of now
	trap "rm -rf -- '$partial'" EXIT

	python3 -B "$scripts_dir/lib/overlay.py" "$partial/tree" "${layer[@]}" >&2 2>"$partial/reason" || status=$?
	if ((status)); then
		reason=$(<"$partial/reason")
		# unsquashfs does not always name the reason.
		if [[ $reason == *'No space left on device'* ]] || (($(df --output=avail -B 1 -- "$partial" | tail -n 1) < 65536)); then
			die E_SPACE "the disk of '$tree' is full" "free some space, or choose another place: --work-dir"
		fi
		((status != 4)) || die E_ISO_KIND "${reason%%$'\n'*}" "check the ISO with its sha256"
		die E_STEP_FAILED "the layers cannot be merged into '$tree': $reason"
	fi
	mv -T -- "$partial/tree" "$tree"
}

main
