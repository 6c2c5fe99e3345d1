# shellcheck shell=bash
# Partition tables as sfdisk scripts, as a seal writes them. Sourced after step.sh.

# table_place TABLE NAME: where a partition begins and how long it is, in bytes.
table_place() {
	local start size
	read -r start size < <(sed -nE "s/^start=([0-9]+), size=([0-9]+), .*name=\"$2\".*/\1 \2/p" "$1") ||
		die E_STEP_ARGUMENT "$1 has no partition '$2'"
	printf '%s %s\n' $((start * 512)) $((size * 512))
}
