#!/usr/bin/env bash
# Take the sealing archive out of an initrd: the inverse of make-initrd.sh.
#
# Parameters:
#   --initrd FILE     the initrd of an image
#   --offset NUMBER   where the archive begins, in bytes
#   --output PATH     the folder to make: boot.conf and headers/
# Runs in: host
# Network: no
# Output: the folder

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need cpio

# cpio would skip what is no archive until it finds one.
[[ $(tail -c +$((offset + 1)) -- "$initrd" | head -c 6 | tr -d '\0') == 070701 ]] ||
	die E_IMAGE "$initrd has no sealing archive at $offset" "it is not the initrd that belongs to this image"
rm -rf -- "$output.partial"
mkdir -p -- "$output.partial"
tail -c +$((offset + 1)) -- "$initrd" |
	(cd "$output.partial" && cpio --quiet --extract --make-directories --no-absolute-filenames 'cc/*' 2>/dev/null) ||
	die E_IMAGE "the sealing archive of $initrd is damaged" "take an unaltered copy of the image"
[[ -f $output.partial/cc/boot.conf ]] || die E_IMAGE "$initrd has no boot.conf at $offset"
mv -- "$output.partial/cc" "$output"
rmdir -- "$output.partial"
