#!/usr/bin/env bash
# Take out of a live-server ISO what an installation needs: the layers, the package pool and its index.
#
# Parameters:
#   --iso FILE               the ISO file
#   --output PATH            directory to make; must not exist yet
#   [--layer NAME]...        file name in casper of each squashfs layer
# Runs in: host
# Network: no
# Output: PATH with .disk, casper, dists and pool as on the ISO, complete or not at all

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need xorriso

# shellcheck disable=SC2154 # parameters
main() {
	[[ ! -e $output ]] || die E_STEP_ARGUMENT "--output: exists already: '$output'"
	local partial=$output.partial name extract=()
	remove "$partial"
	mkdir -p -- "$partial/casper"
	trap 'remove "$output.partial"' EXIT
	for name in install-sources.yaml "${layer[@]}"; do
		[[ $name != */* && $name != .* ]] || die E_ISO_KIND "'$name' is not a file name in casper"
		extract+=(-extract "/casper/$name" "$partial/casper/$name")
	done
	for name in .disk dists pool; do extract+=(-extract "/$name" "$partial/$name"); done

	xorriso -abort_on FAILURE -osirrox on:auto_chmod_on -indev "$iso" "${extract[@]}" >"$partial.log" 2>&1 || {
		cat "$partial.log" >&2
		! grep -q 'No space left on device' "$partial.log" ||
			die E_SPACE "the disk of '$output' is full" "free some space, or choose another place: --work-dir"
		die E_ISO_KIND "'$iso' lacks a part of a live-server ISO: $(grep -m 1 -E 'FAILURE|FATAL' "$partial.log")" \
			"check it with its sha256"
	}
	chmod -R u+rwX -- "$partial"
	refuse_escapes "$partial"
	mv -T -- "$partial" "$output"
}

# Directories come from the ISO without write permission.
remove() {
	[[ ! -d $1 ]] || chmod -R u+rwX -- "$1"
	rm -rf -- "$1" "$1.log"
}

# Later steps follow links in here, so none may lead out of it.
refuse_escapes() {
	local link target links=()
	read_list0 links find "$1" -type l -print0
	for link in "${links[@]}"; do
		target=$(realpath -m -- "$link")
		[[ $target == "$(realpath -- "$1")"/* || $target == "$(realpath -- "$1")" ]] ||
			die E_ISO_KIND "the link '${link#"$1"}' on the ISO leads out of it, to '$(readlink -- "$link")'"
	done
}

main
