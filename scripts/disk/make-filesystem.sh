#!/usr/bin/env bash
# Make an ext4 file system just large enough for its content, from a folder of a tree.
#
# The same content gives the same bytes: UUID, hash seed, order and every time stamp are fixed.
#
# Parameters:
#   --content DIR     what the file system holds: a tree, or a folder in it
#   --output PATH     the file to make
#   --label NAME      the name in the file system, at most 16 characters
#   --uuid TEXT       of the file system
#   --seed TEXT       a UUID: the seed of its directory hashes
#   [--without NAME]...    an absolute path in the content whose folder stays, but empty
#   [--read-only FLAG]     it is never written: no journal and no free space
#   [--minimum SIZE]       at least this many bytes
#   --source-date-epoch NUMBER  the time stamp of its creation, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the file; standard output: its size in bytes

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/content.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/content.sh"
step "$@"
need mkfs.ext4 debugfs dumpe2fs eatmydata

partial="$output.partial"
rm -f -- "$partial"

((${#without[@]} == 0)) || mount -t tmpfs tmpfs /mnt
hide_folders "$content" "$source_date_epoch" "${without[@]}"

# 4 KiB blocks and 256-byte inodes, as mkfs below is told. Hard links count once.
counted=$(find "$content" -printf '%i %s\n' | sort -u -k 1,1 |
	awk '{ blocks += int(($2 + 4095) / 4096) } END { print blocks + 0, NR }')
read -r blocks inodes <<<"$counted"
inodes=$((inodes + inodes / 10 + 64))
# -J would bring the journal back, whatever -O says.
features=(-O '^has_journal,^resize_inode') free=256
if [[ -z $read_only ]]; then
	# A journal of 16 MiB, and room to boot and grow in.
	features=(-O has_journal -J size=16) free=$((4096 + 16384 + blocks / 20))
fi
blocks=$((blocks + inodes / 16 + blocks / 100 + free))
((blocks * 4096 >= ${minimum:-0})) || blocks=$((minimum / 4096))

# Access times are copied into the file system, and would tell when it was built.
find "$content" -exec touch --no-dereference -a --date "@$source_date_epoch" {} +

export E2FSPROGS_FAKE_TIME=$source_date_epoch MKE2FS_CONFIG=$scripts_dir/lib/mke2fs.conf
# eatmydata: both programs would wait until all of it is on the disk of the host, where nobody needs it.
log "ext4: $blocks blocks, $inodes inodes"
if ! message=$(eatmydata mkfs.ext4 -q -F -b 4096 -I 256 -m 0 -N "$inodes" -U "$uuid" -L "$label" "${features[@]}" \
	-E "hash_seed=$seed,root_owner=0:0,nodiscard,lazy_itable_init=0,lazy_journal_init=0" \
	-d "$content" "$partial" "$blocks" 2>&1); then
	rm -f -- "$partial"
	[[ $message != *'No space left'* && $message != *'Short write'* ]] ||
		die E_SPACE "the file system of $label does not fit on the disk of $output" "free some space"
	die E_STEP_FAILED "mkfs.ext4: $message"
fi

# mkfs takes the change times from the folder, and those are the times of this build.
used=$(dumpe2fs "$partial" 2>/dev/null | awk '/^Inode count:/ { n = $3 } /^Free inodes:/ { f = $3 } END { print n - f }')
seq -f "set_inode_field <%.0f> ctime @$source_date_epoch" 2 "$used" | eatmydata debugfs -w -f - "$partial" >/dev/null 2>&1

mv -- "$partial" "$output"
stat -c %s -- "$output"
