#!/usr/bin/env bash
# Make the file that the disks of several images lean on: one partition at its place on the disk, and zeros before it.
#
# It is a raw file, encrypted where it has a header. No disk ever writes to it.
#
# Parameters:
#   --content FILE      what the partition holds; it is not changed
#   --offset SIZE       where the partition begins on the disk, in bytes
#   --output PATH       the file to make
#   [--header FILE]     its LUKS2 header; without one it is not encrypted
#   [--key-file FILE]   the key, with --header
# Runs in: namespace
# Network: no
# Output: the file; standard output: the sha256 of the content as it lies in it

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
step "$@"
need openssl

length=$(stat -c %s -- "$content")
partial=$(dirname -- "$output")/.$(basename -- "$output").partial
trap 'rm -f -- "$partial"' EXIT
rm -f -- "$partial"
truncate -s $((offset + length)) -- "$partial"

if [[ -n $header ]]; then
	luks_open_offline "$header" "$key_file"
	printf '[[%s, %s]]\n' "$offset" "$length" >/mnt/room
	luks_encrypt "$content" "$partial" >/mnt/sha256
	sha256=$(</mnt/sha256)
else
	message=$(dd if="$content" of="$partial" bs=1M seek="$offset" oflag=seek_bytes conv=notrunc,sparse status=none 2>&1) ||
		write_failed dd "$message" "$output"
	read -r sha256 _ < <(openssl dgst -sha256 -r -- "$content")
fi
[[ $sha256 =~ ^[0-9a-f]{64}$ ]] || die E_STEP_FAILED "there is no sha256 of $content: '$sha256'"
sync -- "$partial"
mv -- "$partial" "$output"
sync -- "$(dirname -- "$output")"
printf '%s\n' "$sha256"
