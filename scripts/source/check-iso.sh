#!/usr/bin/env bash
# Look at an ISO file: whether it is whole, and what a live-server ISO says of itself.
#
# Parameters:
#   --iso PATH               the ISO file
# Runs in: host
# Network: no
# Output: JSON on stdout: label, info (.disk/info), catalog (casper/install-sources.yaml as text), files (those in casper,
#   name to bytes), dists (names of the directories in dists). Nothing is written.

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need xorriso python3

hint='give a live-server ISO of Ubuntu 22.04 or 24.04'

# shellcheck disable=SC2154 # parameters
main() {
	[[ -e $iso ]] || die E_ISO_MISSING "no such ISO: '$iso'" "check the path: --iso"
	[[ -f $iso && -r $iso ]] || die E_ISO_MISSING "not a readable file: '$iso'" "check the path and its permissions: --iso"
	check_size

	work=$(mktemp -d)
	trap 'rm -rf -- "$work"' EXIT
	# An unreadable directory makes xorriso fail; an absent one does too, and is told apart below.
	xorriso -abort_on FATAL -osirrox on:auto_chmod_on -indev "$iso" \
		-find /casper -maxdepth 1 -type f -exec lsdl -- \
		-find /dists -mindepth 1 -maxdepth 1 -type d -exec lsdl -- \
		-extract /.disk/info "$work/info" \
		-extract /casper/install-sources.yaml "$work/catalog" >"$work/list" 2>"$work/log" || true
	grep -q 'Volume id' "$work/log" || {
		cat "$work/log" >&2
		die E_ISO_KIND "'$iso' has no readable ISO 9660 directory" "$hint"
	}
	[[ -f $work/info ]] || die E_ISO_KIND "'$iso' has no .disk/info: it is no installation medium" "$hint"
	[[ -f $work/catalog ]] || die E_ISO_KIND \
		"'$iso' ($(tr -d '\n' <"$work/info")) has no casper/install-sources.yaml: it is no live-server ISO" "$hint"
	to_json
}

# The volume descriptor says how long the ISO is; a download that stopped is shorter.
check_size() {
	local size blocks block_size
	size=$(stat -Lc %s -- "$iso")
	[[ $(dd if="$iso" bs=1 skip=32769 count=5 status=none | tr -d '\0') == CD001 ]] ||
		die E_ISO_KIND "'$iso' ($size bytes) is not an ISO 9660 image" "$hint"
	blocks=$(od -An -tu4 --endian=little -j 32848 -N 4 -- "$iso" | tr -d ' ')
	block_size=$(od -An -tu2 --endian=little -j 32896 -N 2 -- "$iso" | tr -d ' ')
	((size >= ${blocks:-0} * ${block_size:-0})) ||
		die E_ISO_TRUNCATED "'$iso' has $size of $((blocks * block_size)) bytes" "download it again"
}

to_json() {
	python3 - "$work" "$(sed -n "s/^Volume id *: '\(.*\)'$/\1/p" "$work/log")" <<-'EOF'
		import json, re, sys
		work, label = sys.argv[1:]
		text = lambda name: open(f'{work}/{name}', encoding='utf-8', errors='replace').read()
		line = re.compile(r"([d-])\S+ +\d+ +\S+ +\S+ +(\d+) .*'/(casper|dists)/([^/']+)'")
		found = [match.groups() for match in map(line.fullmatch, text('list').splitlines()) if match]
		json.dump({
		    'label': label,
		    'info': text('info').strip(),
		    'catalog': text('catalog'),
		    'files': {name: int(size) for kind, size, folder, name in found if folder == 'casper' and kind == '-'},
		    'dists': sorted(name for kind, size, folder, name in found if folder == 'dists' and kind == 'd'),
		}, sys.stdout)
		print()
	EOF
}

main
