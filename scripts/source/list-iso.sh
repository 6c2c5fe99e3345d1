#!/usr/bin/env bash
# List the packages of a live-server ISO: what its pool offers, and what its layers have installed.
#
# Parameters:
#   --iso FILE               the ISO file
#   --suite NAME             codename, a folder of dists
#   --layer NAME...          file name in casper of each squashfs layer, lowest first
# Runs in: host
# Network: no
# Output: JSON on stdout: pool (names of packages, and of what they provide) and installed (names, or null where a layer
#   has no manifest). Nothing is written.

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need xorriso python3

# shellcheck disable=SC2154 # parameters
main() {
	local name extract=()
	work=$(mktemp -d)
	trap 'chmod -R u+rwX -- "$work" && rm -rf -- "$work"' EXIT
	for name in "${layer[@]}"; do
		[[ $name == *.squashfs && $name != */* ]] || die E_ISO_KIND "'$name' is not the name of a layer in casper"
		extract+=(-extract "/casper/${name%.squashfs}.manifest" "$work/${name%.squashfs}.manifest")
	done
	# A manifest that is absent makes xorriso complain; what it means is told below.
	xorriso -abort_on FATAL -osirrox on:auto_chmod_on -indev "$iso" -extract "/dists/$suite" "$work/dists" \
		"${extract[@]}" >"$work/log" 2>&1 || true
	[[ -d $work/dists ]] || die E_ISO_KIND "'$iso' has no index of packages: dists/$suite" "check it with its sha256"
	python3 - "$work" "${layer[@]%.squashfs}" <<-'EOF'
		import gzip, json, pathlib, re, sys
		work, layers = pathlib.Path(sys.argv[1]), sys.argv[2:]

		def lines(path):
		    opener = gzip.open if path.suffix == '.gz' else open
		    with opener(path, 'rt', encoding='utf-8', errors='replace') as text:
		        yield from text

		pool = set()
		for folder in work.glob('dists/*/binary-*'):
		    index = next((folder / name for name in ('Packages', 'Packages.gz') if (folder / name).is_file()), None)
		    for line in lines(index) if index else ():
		        if line.startswith('Package:'):
		            pool.add(line[8:].strip())
		        elif line.startswith('Provides:'):
		            pool.update(re.sub(r'[ (].*', '', item.strip()) for item in line[9:].split(','))

		# The manifest of an upper layer is a difference: lines of a plain list, or of diff -N -U 0.
		installed = set()
		for layer in layers:
		    path = work / f'{layer}.manifest'
		    if not path.is_file():
		        installed = None
		        break
		    for line in lines(path):
		        match = re.match(r'([+-]?)([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\t', line)
		        if match and match[1] == '-':
		            installed.discard(match[2])
		        elif match:
		            installed.add(match[2])
		json.dump({'pool': sorted(pool), 'installed': None if installed is None else sorted(installed)}, sys.stdout)
		print()
	EOF
}

main
