#!/usr/bin/env bash
# Keep memory in memory: no swap, now or later, and temporary files on tmpfs.
#
# Parameters:
#   --tree DIR         the tree to change
#   [--tmpfs TEXT]...  PATH:SIZE:MODE of one tmpfs, SIZE as in mount(8), for example /tmp:25%:1777
# Runs in: namespace
# Network: no
# Output: /etc/fstab with the tmpfs lines and nothing else; swap programs and units gone

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

{
	printf '# The partitions are mounted by cc-partition@.service.\n'
	for entry in "${tmpfs[@]}"; do
		IFS=: read -r path size mode <<<"$entry"
		printf 'tmpfs %s tmpfs nosuid,nodev,size=%s,mode=%s 0 0\n' "$path" "$size" "$mode"
	done
} >"$tree/etc/fstab"

# What could turn swap on: units, the generators that find swap by partition type, the zram and swap file tools,
# and the programs themselves.
mask() { ln -sfn /dev/null "$tree/etc/systemd/$1"; }
mkdir -p "$tree/etc/systemd/system-generators"
mask system/swap.target
mask system-generators/systemd-gpt-auto-generator
mask system-generators/systemd-hibernate-resume-generator
rm -f "$tree"/swap.img "$tree"/swapfile
for program in swapon swapoff mkswap swaplabel; do
	rm -f "$tree/sbin/$program" "$tree/usr/sbin/$program"
done
mkdir -p "$tree/etc/initramfs-tools/conf.d"
printf 'RESUME=none\n' >"$tree/etc/initramfs-tools/conf.d/resume"
