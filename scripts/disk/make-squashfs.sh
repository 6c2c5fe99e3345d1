#!/usr/bin/env bash
# Make a compressed read-only squashfs file system from a folder of a tree.
#
# The same content gives the same bytes, on any number of processors.
#
# Parameters:
#   --content DIR     what the file system holds: a tree, or a folder in it
#   --output PATH     the file to make
#   --level NUMBER    of zstd: 1 to 22
#   [--without NAME]...    an absolute path in the content whose folder stays, but empty
#   [--secret TEXT]...     PATH:FILE: a file that only root may read and that is not in the content; PATH is absolute in the
#                          file system, and new folders on its way are root's alone
#   --source-date-epoch NUMBER  the time stamp of its creation, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the file, a multiple of 4096 bytes; standard output: its size in bytes

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/content.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/content.sh"
step "$@"
need mksquashfs python3

((level >= 1 && level <= 22)) || die E_STEP_ARGUMENT "--level: not from 1 to 22: '$level'"
partial="$output.partial"
rm -f -- "$partial"
mount -t tmpfs -o mode=0700 tmpfs /mnt
hide_folders "$content" "$source_date_epoch" "${without[@]}"

# Pseudo files of mksquashfs(1): its file is split at blanks and run by a shell, so the secret gets a plain name in memory.
secrets=/mnt/secrets
: >"$secrets"
for number in "${!secret[@]}"; do
	path=${secret[number]%%:*} file=${secret[number]#*:}
	[[ $path =~ ^(/[A-Za-z0-9_.-]+)+$ && $path/ != */../* ]] || die E_STEP_ARGUMENT "--secret: not a plain absolute path: '$path'"
	[[ -f $file ]] || die E_STEP_ARGUMENT "--secret: no such file: '$file'"
	[[ ! -e $content$path && ! -L $content$path ]] || die E_STEP_ARGUMENT "--secret: the content has a '$path' already"
	cat -- "$file" >"/mnt/secret-$number"
	folder=
	IFS=/ read -ra parts <<<"${path%/*}"
	for part in "${parts[@]:1}"; do
		folder+=/$part
		[[ ! -e $content$folder ]] || continue
		grep -qxF -- "$folder d 700 0 0" "$secrets" || printf '%s d 700 0 0\n' "$folder" >>"$secrets"
	done
	printf '%s f 600 0 0 cat /mnt/secret-%s\n' "$path" "$number" >>"$secrets"
done

status=0
# Time stamps later than this are set to it: those of the secrets, too. What it cannot read it would make empty, but for
# -exit-on-error.
export SOURCE_DATE_EPOCH=$source_date_epoch
message=$(mksquashfs "$content" "$partial" -noappend -quiet -no-progress -no-recovery -exit-on-error -xattrs -mem 512M \
	-comp zstd -Xcompression-level "$level" -pf "$secrets" 2>&1) || status=$?
# It leaves out attributes that it does not know, and goes on: a file would lose its rules of access without a word.
if [[ $message == *[Uu]nrecogni[sz]ed* ]]; then
	rm -f -- "$partial"
	lost=$(python3 -B "$scripts_dir/lib/find-acls.py" "$content")
	[[ -z $lost ]] || die E_STEP_FAILED "squashfs has no place for the access control lists of: $lost" \
		"remove the lists (setfacl -b), or choose ext4: hardening.rootFilesystem: ext4"
	die E_STEP_FAILED "squashfs has no place for attributes of the content: $message" "choose ext4: hardening.rootFilesystem: ext4"
fi
if ((status)); then
	rm -f -- "$partial"
	[[ $message != *'No space left'* ]] || die E_SPACE "the disk of $output is full" "free some space"
	die E_STEP_FAILED "mksquashfs: $message"
fi
[[ -z $message ]] || log "$message"

mv -- "$partial" "$output"
stat -c %s -- "$output"
