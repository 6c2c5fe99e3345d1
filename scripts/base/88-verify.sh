#!/usr/bin/env bash
# Audit a tree for what acts on the host's behalf, and for units that would fail at boot.
#
# Parameters:
#   --tree DIR           the tree
#   [--keep NAME]...     a group of lib/unwanted.txt that may be there
# Runs in: namespace
# Network: no
# Output: nothing; a failure names every finding with its reason

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/remove.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/remove.sh"
step "$@"
need dpkg-query python3

unwanted_read base
findings=()
read_list found unwanted_installed "$tree"
for line in "${found[@]}"; do
	findings+=("the package '${line%% *}' ${unwanted_reason[${line#* }]}")
done
for path in "${unwanted_paths[@]}"; do
	[[ ! -e $tree$path && ! -L $tree$path ]] || findings+=("'$path': ${unwanted_reason[$path]}")
done
for unit in "${unwanted_units[@]}"; do
	[[ $(readlink -- "$tree/etc/systemd/system/$unit" || true) == /dev/null ]] ||
		findings+=("'$unit' is not masked: it ${unwanted_reason[$unit]}")
done
((${#findings[@]} == 0)) ||
	die E_IMAGE "the tree has what acts on the host's behalf: $(printf '%s; ' "${findings[@]}")" \
		"leave it out, or keep it in a development image: os.keep"

read_list failing python3 -B "$scripts_dir/lib/units.py" check "$tree"
((${#failing[@]} == 0)) || die E_IMAGE "units would fail at boot: $(printf '%s; ' "${failing[@]}")" \
	"mask them, or install what they need: os.packages"
