#!/usr/bin/env bats
# The boot program and the file system of an ESP, and back again; scripts for the host made of their parts. The stub is
# the one of this host.

# shellcheck disable=SC2016 # quoted programs are for another shell
load ../test/lib.bash

epoch=1700000000
stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub

setup() {
	setup_user
	[[ -f $stub ]] || { echo "install systemd-boot-efi: tools/setup.sh does" && return 1; }
	as_user bash -c 'cd "$1" && head -c 300001 /dev/urandom >kernel && head -c 70001 /dev/urandom >initrd && echo "{}" >manifest.json
		printf "%s\n" "start=2048, size=131072, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=1, name=\"cc-esp\"" >table' - "$dir"
}

make_uki() {
	step make-uki --stub "$stub" --kernel "$dir/kernel" --initrd "$dir/initrd" --cmdline "console=ttyS0 a=b" \
		--output "$dir/${1-uki}" --source-date-epoch "$epoch"
	((status == 0)) || { echo "$output" && return 1; }
}

make_esp() { # OUTPUT [ARGUMENT...]
	step make-esp --output "$dir/$1" --table "$dir/table" --name cc-esp --id 0123abcd --source-date-epoch "$epoch" \
		--file "EFI/BOOT/BOOTX64.EFI:$dir/uki" --file "cc/manifest.json:$dir/manifest.json" "${@:2}"
}

@test "what goes into an ESP comes out again, byte by byte" {
	make_uki
	make_esp esp --file "cc/headers/cc-root.luks:$dir/initrd"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(stat -c %s "$dir/esp")" $((131072 * 512))
	fsck.vfat -n "$dir/esp"
	step open-esp --esp "$dir/esp" --output "$dir/opened"
	((status == 0)) || { echo "$output" && return 1; }
	cmp "$dir/kernel" "$dir/opened/vmlinuz"
	cmp "$dir/initrd" "$dir/opened/initrd.img"
	cmp "$dir/initrd" "$dir/opened/headers/cc-root.luks"
	cmp "$dir/manifest.json" "$dir/opened/manifest.json"
	equal "$(cat "$dir/opened/cmdline")" "console=ttyS0 a=b"
	equal "$(find "$dir/opened" -type f -printf '%P\n' | sort)" $'cmdline\nheaders/cc-root.luks\ninitrd.img\nmanifest.json\nvmlinuz'
}

@test "the sections do not overlap, and the kernel is the last" {
	make_uki
	objdump -h "$dir/uki" | sed -nE 's/^ *[0-9]+ (\S+) +([0-9a-f]+) +([0-9a-f]+) .*/\1 \2 \3/p' >"$BATS_TEST_TMPDIR/sections"
	local end=0 last name size address
	while read -r name size address; do
		((16#$address >= end)) || { echo "$name overlaps" && return 1; }
		end=$((16#$address + 16#$size)) last=$name
	done <"$BATS_TEST_TMPDIR/sections"
	equal "$last" .linux
}

@test "the same inputs give the same bytes, at another time" {
	make_uki
	make_esp esp
	as_user mv "$dir/uki" "$dir/first-uki"
	# FAT counts in steps of two seconds.
	sleep 2.1
	make_uki uki
	make_esp again
	cmp "$dir/first-uki" "$dir/uki"
	cmp "$dir/esp" "$dir/again"
}

@test "no input, no partition, no room: refused, and nothing is left" {
	step make-uki --stub "$dir/kernel" --kernel "$dir/kernel" --initrd "$dir/initrd" --cmdline x --output "$dir/none" --source-date-epoch 0
	failed_with E_HOST_TOOL "is not an EFI program"
	make_uki
	sed -i 's/cc-esp/cc-other/' "$dir/table"
	make_esp none
	failed_with E_STEP_ARGUMENT "has no partition 'cc-esp'"
	sed -i 's/cc-other/cc-esp/; s/size=131072/size=69632/' "$dir/table"
	as_user truncate -s 40M "$dir/large"
	make_esp none --file "cc/large:$dir/large"
	failed_with E_SIZE "do not fit"
	make_esp none --file "../out:$dir/large"
	failed_with E_STEP_ARGUMENT "not a path in the file system"
	equal "$(find "$dir" -maxdepth 1 -name 'none*')" ""
}

@test "an ESP that is not ours is refused" {
	step open-esp --esp "$dir/kernel" --output "$dir/opened"
	failed_with E_IMAGE "has no EFI/BOOT/BOOTX64.EFI"
	make_uki
	as_user cp "$stub" "$dir/uki"
	make_esp esp
	step open-esp --esp "$dir/esp" --output "$dir/opened"
	failed_with E_IMAGE "lacks a part"
	equal "$(find "$dir" -maxdepth 1 -name 'opened*')" ""
}

@test "a script for the host needs none of its parts" {
	as_user bash -c 'cd "$1" && mkdir lib && printf "%s\n" "#!/usr/bin/env bash" "here=x" "# shellcheck source=lib/a.sh" ". \"\$here/lib/a.sh\"" "say it" >s.sh &&
		printf "%s\n" "# shellcheck shell=bash" "say() { echo \"said \$1\"; }" >lib/a.sh' - "$dir"
	step make-host-script --script "$dir/s.sh" --output "$dir/made"
	((status == 0)) || { echo "$output" && return 1; }
	as_user rm -r "$dir/lib"
	equal "$(cd / && "$dir/made")" "said it"
	equal "$(stat -c %a "$dir/made")" 755
	step make-host-script --script "$dir/s.sh" --output "$dir/made2"
	failed_with E_STEP_FAILED "sources lib/a.sh, which is not there"
}
