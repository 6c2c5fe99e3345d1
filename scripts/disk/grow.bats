#!/usr/bin/env bats
# Disks grow, and are cut off while they do. All tools are the real ones; a qemu-img that kills its caller stands for
# the power cut.

# shellcheck disable=SC2016 # the quoted programs expand where they run
load ../test/lib.bash

mebibyte=1048576
old=$((8 * mebibyte)) new=$((64 * mebibyte))
linux=0fc63daf-8483-4772-8e79-3d69d8477de4
disk_guid=11111111-2222-4333-8444-555555555555

setup() {
	setup_user
	disk="$dir/a, b.qcow2"
	as_user tee "$dir/table" >/dev/null <<-EOT
		label: gpt
		label-id: $disk_guid
		first-lba: 2048
		last-lba: $((old / 512 - 34))

		start=2048, size=2048, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=${disk_guid/1/2}, name="cc-esp", attrs="RequiredPartition LegacyBIOSBootable"
		start=4096, size=4096, type=$linux, uuid=${disk_guid/1/3}, name="cc-app", attrs="GUID:60,63"
		start=8192, size=6144, type=$linux, uuid=${disk_guid/1/4}, name="cc-root", attrs="GUID:59"
	EOT
	as_user bash -c 'head -c 2097152 /dev/urandom >"$1/app"; head -c 3145728 /dev/urandom >"$1/root"' - "$dir"
	step make-disk --output "$disk" --table "$dir/table"
	step place-partition --disk "$disk" --table "$dir/table" --name cc-app --content "$dir/app"
	step place-partition --disk "$disk" --table "$dir/table" --name cc-root --content "$dir/root"
	((status == 0)) || { echo "$output" && return 1; }
}

# table: the table of the disk as it is now, the first copy and the second, each as sfdisk reads it alone.
table() {
	qemu-img convert -f qcow2 -O raw "$disk" "$BATS_TEST_TMPDIR/raw"
	sfdisk --dump "$BATS_TEST_TMPDIR/raw" 2>/dev/null | sed -e '/^device:/d' -e 's|^/[^ ]*raw||'
}

# expected BYTES: the table of a disk of that size.
expected() {
	cat <<-EOT
		label: gpt
		label-id: ${disk_guid^^}
		unit: sectors
		first-lba: 2048
		last-lba: $(($1 / 512 - 34))
		sector-size: 512

		1 : start=        2048, size=        2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=21111111-2222-4333-8444-555555555555, name="cc-esp", attrs="RequiredPartition LegacyBIOSBootable"
		2 : start=        4096, size=        4096, type=${linux^^}, uuid=31111111-2222-4333-8444-555555555555, name="cc-app", attrs="GUID:60,63"
		3 : start=        8192, size=$(printf '%12d' $((($1 - mebibyte) / 512 - 8192))), type=${linux^^}, uuid=41111111-2222-4333-8444-555555555555, name="cc-root", attrs="GUID:59"
	EOT
}

grow() { # BYTES
	step grow-disk --disk "$disk" --size "$1"
	((status == 0)) || return 0
	step grow-table --disk "$disk" --size "$1" --name cc-root
}

# whole: both copies of the table, the qcow2 and the content are in order.
whole() {
	local message
	table >/dev/null
	message=$(sfdisk --verify "$BATS_TEST_TMPDIR/raw" 2>&1)
	[[ $message == *'No errors detected'* && $message != *corrupt* ]] || { echo "$message" && return 1; }
	qemu-img check -q "$disk"
	same_content
}

same_content() {
	cmp -n $((2 * mebibyte)) "$dir/app" <(tail -c +$((4096 * 512 + 1)) "$BATS_TEST_TMPDIR/raw")
	cmp -n $((3 * mebibyte)) "$dir/root" <(tail -c +$((8192 * 512 + 1)) "$BATS_TEST_TMPDIR/raw")
}

@test "a disk grows in place: the last partition ends with it, and everything else stays as it was" {
	local inode before
	equal "$(table)" "$(expected "$old")"
	inode=$(stat -c %i "$disk") before=$(stat -c %b "$disk")
	grow "$new"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(table)" "$(expected "$new")"
	whole
	[[ $(stat -c %i "$disk") == "$inode" ]]
	# Two clusters of the table and a few of qcow2's own.
	((($(stat -c %b "$disk") - before) * 512 <= 512 * 1024))
}

@test "a disk grows again, and growing it to the size it has changes no byte" {
	local size before
	for size in $((new / 2)) "$new" $((40 * 1024 * mebibyte)); do grow "$size"; done
	((status == 0)) || { echo "$output" && return 1; }
	step grow-read-table --disk "$disk" --size "$size"
	equal "$(jq -c '.partitiontable.partitions[-1] | [.start, .size]' <<<"$output")" "[8192,$(((size - mebibyte) / 512 - 8192))]"
	before=$(sha256sum "$disk")
	grow "$size"
	equal "$(sha256sum "$disk")" "$before"
}

# killer WHEN NUMBER: a qemu-img that kills whoever calls it the NUMBERth time: before, after, or in the middle of its work.
killer() {
	mkdir -p "$dir/bin"
	rm -f "$dir/calls"
	cat >"$dir/bin/qemu-img" <<-EOT
		#!/bin/bash
		echo >>"$dir/calls"
		if ((\$(wc -l <"$dir/calls") == $2)); then
			case $1 in
			after) /usr/bin/qemu-img "\$@" ;;
			middle)
				/usr/bin/qemu-img "\$@" &
				sleep 0.0\$((RANDOM % 3))\$((RANDOM % 10))
				kill -s KILL \$! 2>/dev/null
				wait \$!
				;;
			esac
			# The step, and the subshell that is between it and us.
			read -r _ _ _ step _ <"/proc/\$PPID/stat"
			[[ \$(tr '\0' ' ' <"/proc/\$step/cmdline") != *' '*/grow-*.sh* ]] || kill -s KILL "\$step"
			kill -s KILL \$PPID
			exit 1
		fi
		exec /usr/bin/qemu-img "\$@"
	EOT
	chmod 755 "$dir/bin" "$dir/bin/qemu-img"
	touch "$dir/calls"
	chmod 666 "$dir/calls"
}

grow_killed() {
	PATH=$dir/bin:$PATH
	grow "$new"
	PATH=${PATH#*:}
}

@test "cut off at any call of qemu-img, the disk has the old table or the new one, and a second run ends the work" {
	local when call killed=0 copies
	as_user cp "$disk" "$dir/original"
	# The first call resizes; two read the table; two write it, the second copy first.
	for when in before middle after; do
		for call in 1 2 3 4 5; do
			cp "$dir/original" "$disk"
			killer "$when" "$call"
			grow_killed
			((status == 137)) && killed=$((killed + 1))
			copies=$(table)
			case $call-$when in
			5-after) equal "$copies" "$(expected "$new")" ;;
			5-middle) [[ $copies == "$(expected "$old")" || $copies == "$(expected "$new")" ]] ;;
			*) equal "$copies" "$(expected "$old")" ;;
			esac
			same_content
			# Clusters that nothing refers to are waste (3), not damage (2).
			run qemu-img check -q "$disk"
			((status == 0 || status == 3))
			grow "$new"
			((status == 0)) || { echo "$when $call: $output" && return 1; }
			equal "$(table)" "$(expected "$new")"
		done
	done
	((killed == 15))
}

@test "a damaged first copy is made again from the second" {
	grow "$new"
	# Its entries: what a write of more pages than one may leave when the host goes down.
	qemu-io -f qcow2 -c 'write -P 0 1k 3k' "$disk" >/dev/null
	step grow-table --disk "$disk" --size "$new" --name cc-root
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(table)" "$(expected "$new")"
	whole
}

@test "no file is left behind" {
	as_user mkdir "$dir/tmp"
	export TMPDIR=$dir/tmp
	grow "$new"
	killer before 5
	grow_killed
	((status == 137))
	equal "$(ls -A "$dir/tmp")" ""
	equal "$(ls "$dir")" $'a, b.qcow2\napp\nbin\ncalls\nroot\ntable\ntmp'
}

@test "a disk that a virtual machine has is left alone" {
	local before
	before=$(sha256sum "$disk")
	qemu-system-x86_64 -machine q35 -accel tcg -m 64 -nodefaults -display none -S -daemonize -pidfile "$BATS_TEST_TMPDIR/pid" \
		-drive "file=${disk//,/,,},if=virtio,format=qcow2"
	step grow-inspect --disk "$disk"
	local inspected=$output
	step grow-disk --disk "$disk" --size "$new"
	kill "$(cat "$BATS_TEST_TMPDIR/pid")"
	failed_with E_LOCKED "is in use"
	[[ $inspected == *'error[E_LOCKED]'* ]]
	equal "$(sha256sum "$disk")" "$before"
}

@test "a disk that a virtual machine only reads is left alone" {
	qemu-system-x86_64 -machine q35 -accel tcg -m 64 -nodefaults -display none -S -daemonize -pidfile "$BATS_TEST_TMPDIR/pid" \
		-snapshot -drive "file=${disk//,/,,},if=virtio,format=qcow2"
	step grow-disk --disk "$disk" --size "$new"
	kill "$(cat "$BATS_TEST_TMPDIR/pid")"
	failed_with E_LOCKED "is in use"
	equal "$(table)" "$(expected "$old")"
}

@test "what is no qcow2, has no table, or lacks the partition is refused" {
	as_user bash -c 'head -c 1000000 /dev/urandom >"$1/noise"; qemu-img create -q -f qcow2 "$1/empty.qcow2" 8M' - "$dir"
	step grow-inspect --disk "$dir/noise"
	failed_with E_IMAGE "is not a qcow2"
	step grow-disk --disk "$dir/noise" --size "$new"
	failed_with E_IMAGE "is not a qcow2"
	step grow-read-table --disk "$dir/empty.qcow2" --size "$old"
	failed_with E_IMAGE "has no partition table"
	step grow-table --disk "$disk" --size "$old" --name cc-none
	failed_with E_IMAGE "has no partition 'cc-none'"
	step grow-table --disk "$disk" --size "$new" --name cc-root
	failed_with E_IMAGE
	equal "$(table)" "$(expected "$old")"
}

@test "a disk that may only be read, and one that would become smaller, are left alone" {
	step grow-disk --disk "$disk" --size "$mebibyte"
	failed_with E_IMAGE "shrink"
	chmod 444 "$disk"
	((EUID == 0 && ${#user[@]} == 0)) || {
		step grow-disk --disk "$disk" --size "$new"
		failed_with E_IMAGE "cannot be written"
	}
	equal "$(table)" "$(expected "$old")"
}

@test "without room for its own tables a disk stays as it was" {
	run in_namespace bash -c '
		mkdir "$1/small" && mount -t tmpfs -o size=6m tmpfs "$1/small" && cp "$2" "$1/small/d.qcow2"
		head -c 6m /dev/zero >"$1/small/rest" 2>/dev/null
		bash "$3/grow-disk.sh" --disk "$1/small/d.qcow2" --size $((2 ** 43)) || echo "exit $?"
		cp "$1/small/d.qcow2" "$2.after"' - "$dir" "$disk" "$source_dir"
	[[ $output == *'error[E_SPACE]'*'exit 1'* ]] || { echo "$output" && return 1; }
	disk="$disk.after"
	equal "$(table)" "$(expected "$old")"
	whole
}
