#!/usr/bin/env bash
# Take the files of an image out of its EFI system partition: the inverse of make-uki.sh and make-esp.sh.
#
# What comes out is not compared with anything: that is for the caller, who has the manifest then.
#
# Parameters:
#   --esp FILE      the file system
#   --output PATH   the folder to make: vmlinuz, initrd.img, cmdline, and what lies in cc/ of the file system
# Runs in: host
# Network: no
# Output: the folder

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need mcopy objcopy

hint="name an image directory, or the qcow2 of a base or FLARE image that was built with an EFI system partition"
work=$(mktemp -d -- "$output.XXXXXX")
trap 'rm -rf -- "$work" "$output.partial"' EXIT
rm -rf -- "$output.partial"
mkdir -- "$output.partial"
for name in EFI/BOOT/BOOTX64.EFI cc; do
	# -n: a name that is there twice is an error, not a question.
	message=$(mcopy -i "$esp" -s -n "::/$name" "$work/" 2>&1 </dev/null) || die E_IMAGE "the EFI system partition has no $name: ${message##*$'\n'}" "$hint"
done
[[ -d $work/cc && -f $work/cc/manifest.json ]] || die E_IMAGE "the EFI system partition has no manifest" "$hint"
mv -- "$work/cc"/* "$output.partial/"
dump=()
for section in linux:vmlinuz initrd:initrd.img cmdline:cmdline; do
	dump+=(--dump-section ".${section%%:*}=$output.partial/${section#*:}")
done
message=$(objcopy "${dump[@]}" "$work/BOOTX64.EFI" "$work/rest" 2>&1) || die E_IMAGE "the EFI program of the image lacks a part: $message" "$hint"
for section in vmlinuz initrd.img cmdline; do
	[[ -s $output.partial/$section ]] || die E_IMAGE "the EFI program of the image lacks a part: $section" "$hint"
done
# As a file of an image directory it ends with a line end; the kernel gets it without.
printf '\n' >>"$output.partial/cmdline"
rm -rf -- "$output"
mv -- "$output.partial" "$output"
