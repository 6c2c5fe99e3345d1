#!/usr/bin/env bash
# Make a unified kernel image: one EFI program with kernel, initrd and command line in it.
#
# The stub of systemd gets three sections, as systemd-stub(7) describes them. The kernel comes last: old stubs run it
# where it lies, and it then overwrites what follows.
#
# Parameters:
#   --stub FILE      the stub, linuxx64.efi.stub of systemd
#   --kernel FILE    the kernel
#   --initrd FILE    the initrd
#   --cmdline TEXT   the kernel command line
#   --output PATH    the EFI program to make
#   --source-date-epoch NUMBER  the time stamp in it, in seconds since 1970
# Runs in: host
# Network: no
# Output: the EFI program

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need objcopy objdump

work=$(mktemp -d -- "$output.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
printf '%s' "$cmdline" >"$work/cmdline"

headers=$(objdump -h -p "$stub" 2>/dev/null) || die E_HOST_TOOL "$stub is not an EFI program" "name another: launch.stub in cc.yaml"
read -r align < <(sed -n 's/^SectionAlignment[[:space:]]*//p' <<<"$headers") || die E_HOST_TOOL "$stub has no section alignment"
align=$((16#$align))
# The end of the last section, as an address; the base of the image is part of the addresses.
next=0
while read -r size address; do
	((16#$size + 16#$address <= next)) || next=$((16#$size + 16#$address))
done < <(sed -nE 's/^ *[0-9]+ \S+ +([0-9a-f]+) +([0-9a-f]+) .*/\1 \2/p' <<<"$headers")
((next > 0)) || die E_HOST_TOOL "$stub has no sections" "name another: launch.stub in cc.yaml"

sections=()
add_section() { # NAME FILE
	next=$(((next + align - 1) / align * align))
	sections+=(--add-section ".$1=$2" --change-section-vma ".$1=$next")
	next=$((next + $(stat -c %s -- "$2")))
}
add_section cmdline "$work/cmdline"
add_section initrd "$initrd"
add_section linux "$kernel"
objcopy "${sections[@]}" "$stub" "$output.partial" 2>"$work/log" || {
	rm -f -- "$output.partial"
	grep -q 'No space left' "$work/log" && die E_SPACE "no space left while writing $output" "free some space"
	die E_STEP_FAILED "objcopy: $(tail -n 3 "$work/log")"
}

# objcopy writes the time of day; the time stamp is 8 bytes into the PE header, whose place is at 60 (PE format, 3.3.1).
patch() { # OFFSET VALUE: four bytes, least significant first
	local value=$2 bytes=''
	for _ in 1 2 3 4; do
		bytes+=$(printf '\\x%02x' $((value & 255)))
		value=$((value >> 8))
	done
	printf '%b' "$bytes" | dd of="$output.partial" bs=1 seek="$1" conv=notrunc status=none
}
pe=$(od -A n -t u4 -j 60 -N 4 -- "$output.partial")
patch $((pe + 8)) "$source_date_epoch"
# The checksum of the whole file, which no firmware looks at.
patch $((pe + 24 + 64)) 0
mv -- "$output.partial" "$output"
