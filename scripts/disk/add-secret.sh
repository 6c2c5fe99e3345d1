#!/usr/bin/env bash
# Put a file that only root may read into a file system, before it is encrypted.
#
# The tree does not get it: it is kept between builds.
#
# Parameters:
#   --filesystem FILE   an ext4 file system
#   --path TEXT         the file in it, absolute; one that is there is replaced
#   --content FILE      what it holds
#   --source-date-epoch NUMBER  its time stamp, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the file system changed: the file with mode 0600, new folders with mode 0700, owned by root

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need debugfs

[[ $path =~ ^(/[A-Za-z0-9_.-]+)+$ && $path/ != */../* ]] || die E_STEP_ARGUMENT "--path: not a plain absolute path: '$path'"
[[ $content =~ ^[^\"]+$ ]] || die E_STEP_ARGUMENT "--content: a path without quotes is needed: '$content'"
export E2FSPROGS_FAKE_TIME=$source_date_epoch

mode_of() { debugfs -R "stat $1" "$filesystem" 2>/dev/null | sed -n 's/.*Mode: *\([0-7]*\).*/\1/p'; }
attributes() { # PATH MODE: a file system that was made from a tree has these times, and no others
	local field
	printf 'set_inode_field %s mode 0%s\n' "$1" "$2"
	for field in uid gid; do printf 'set_inode_field %s %s 0\n' "$1" "$field"; done
	for field in atime ctime mtime crtime; do printf 'set_inode_field %s %s @%s\n' "$1" "$field" "$source_date_epoch"; done
}

{
	folder=
	IFS=/ read -ra parts <<<"${path%/*}"
	for part in "${parts[@]:1}"; do
		folder+=/$part
		[[ -z $(mode_of "$folder") ]] || continue
		printf 'mkdir %s\n' "$folder"
		attributes "$folder" 40700
	done
	[[ -z $(mode_of "$path") ]] || printf 'rm %s\n' "$path"
	printf 'write "%s" %s\n' "$content" "$path"
	attributes "$path" 100600
} | debugfs -w -f - "$filesystem" >/dev/null 2>&1

# debugfs says nothing with its exit status.
[[ $(mode_of "$path") == 0600 ]] || die E_STEP_FAILED "debugfs could not write $path into $filesystem"
debugfs -R "cat $path" "$filesystem" 2>/dev/null | cmp -s - "$content" ||
	die E_STEP_FAILED "debugfs wrote something else to $path in $filesystem"
