#!/usr/bin/env bash
# Make the file system of an EFI system partition: FAT32 with the files that are named.
#
# Parameters:
#   --output PATH     the file system to make
#   --table FILE      the partition table of the disk
#   --name NAME       the partition, by its name in the table: it says how large the file system is
#   --id TEXT         8 hexadecimal digits
#   --file TEXT...    FILE:PATH, the path in the file system and the file of the host that goes there
#   --source-date-epoch NUMBER  the time stamp of everything in it, in seconds since 1970
# Runs in: host
# Network: no
# Output: the file system

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need mkfs.vfat mcopy

[[ $id =~ ^[0-9a-f]{8}$ ]] || die E_STEP_ARGUMENT "--id: not 8 hexadecimal digits: '$id'"
read -r size < <(sed -nE "s/^start=[0-9]+, size=([0-9]+), .*name=\"$name\".*/\1/p" "$table") ||
	die E_STEP_ARGUMENT "--name: $table has no partition '$name'"
size=$((size * 512))
# FAT counts from 1980.
((source_date_epoch >= 315532800)) || source_date_epoch=315532800

work=$(mktemp -d -- "$output.XXXXXX")
trap 'rm -rf -- "$work" "$output.partial"' EXIT
for word in "${file[@]}"; do
	path=${word%%:*}
	[[ $path =~ ^[A-Za-z0-9_][A-Za-z0-9_./-]*$ && /$path/ != */../* && /$path/ != */./* ]] || die E_STEP_ARGUMENT "--file: not a path in the file system: '$path'"
	install -D -m 0644 -- "${word#*:}" "$work/$path"
done
find "$work" -exec touch --date "@$source_date_epoch" {} +

rm -f -- "$output.partial"
truncate -s "$size" "$output.partial"
message=$(mkfs.vfat --invariant -F 32 -n CC-ESP -i "$id" "$output.partial" 2>&1) || die E_STEP_FAILED "mkfs.vfat: $message"
# Sorted, so that the directory has one order; mcopy and not mmd, which takes the time of day.
entries() { find "$work" -mindepth 1 -maxdepth 1 -print0 | sort -z; }
read_list0 entries entries
if message=$(mcopy -i "$output.partial" -s -m -p -Q "${entries[@]}" :: 2>&1 </dev/null); then
	mv -- "$output.partial" "$output"
else
	[[ $message != *[Ff]'ull'* ]] || die E_SIZE "the files do not fit into an EFI system partition of $size bytes"
	die E_STEP_FAILED "mcopy: $message"
fi
