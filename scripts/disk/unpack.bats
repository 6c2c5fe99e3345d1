#!/usr/bin/env bats
# What is opened comes back as it was, and nothing else is done: also from images that are damaged, altered or unusual.

# shellcheck disable=SC2016,SC2034 # the quoted programs expand in the namespace; user is read by as_user
load ../test/lib.bash

epoch=1700000000
uuid=11111111-2222-4333-8444-555555555555

setup() {
	setup_user
	as_user mkdir "$dir/tree"
	as_user bash -c 'umask 077; head -c 32 /dev/urandom >"$1/key"' - "$dir"
}
teardown() { remove_trees; }

make_filesystem() {
	step make-filesystem --content "$dir/tree" --output "$dir/fs" --label test --uuid "$uuid" --seed "$uuid" \
		--source-date-epoch "$epoch"
	((status == 0)) || { echo "$output" && return 1; }
}

# make_disk: $dir/fs, encrypted, at 2 MiB of $dir/disk.qcow2.
make_disk() { encrypted_disk "$dir/disk.qcow2" "$dir/fs"; }

# unpack DISK [ARGUMENT]...: the step with what make_disk has made.
unpack() {
	step unpack-partition --disk "$1" --name cc-data --offset 2097152 --size "$(stat -c %s "$dir/fs")" \
		--sha256 "$sha256" --header "$dir/header" --key-file "$dir/key" --tree "$dir/opened" "${@:2}"
}

# nothing_left: a failure leaves neither a tree nor anything beside it.
nothing_left() {
	[[ ! -e $dir/opened ]]
	[[ -z $(find "$dir" -maxdepth 1 -name '*.partial' -o -maxdepth 1 -name '.content*') ]]
}

# filesystem_is_damaged TEXT: $dir/fs is refused, with TEXT in the message.
filesystem_is_damaged() {
	step unpack-filesystem --filesystem "$dir/fs" --tree "$dir/opened"
	failed_with E_IMAGE "$1"
	nothing_left
}

# edit COMMAND...: change $dir/fs behind the back of everybody, as debugfs takes it.
edit() { for command in "$@"; do as_user debugfs -w -R "$command" "$dir/fs" >/dev/null 2>&1; done; }

# place_of COMMAND: what debugfs answers.
place_of() { debugfs -R "$1" "$dir/fs" 2>/dev/null; }

# poke OFFSET BYTES: overwrite a few bytes of $dir/fs; BYTES as printf takes them.
poke() { as_user bash -c 'printf "$3" | dd of="$1/fs" bs=1 seek="$2" conv=notrunc status=none' - "$dir" "$1" "$2"; }

@test "ACLs come back, of a file and the default ones of a folder" {
	in_namespace bash -c 'cd "$1/tree" && mkdir d && touch f && python3 - <<-END
		import os, struct
		def acl(*entries): return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
		none = 0xFFFFFFFF
		value = acl((1, 6, none), (2, 4, 1000), (4, 4, none), (8, 5, 42), (16, 5, none), (32, 0, none))
		os.setxattr("f", "system.posix_acl_access", value)
		os.setxattr("d", "system.posix_acl_default", value)
	END' - "$dir"
	local before after
	before=$(in_namespace bash -c 'cd "$1/tree" && getfattr -R -d -m - -e hex .' - "$dir")
	[[ $before == *posix_acl_access* && $before == *posix_acl_default* ]]
	make_filesystem
	step unpack-filesystem --filesystem "$dir/fs" --tree "$dir/opened"
	((status == 0)) || { echo "$output" && return 1; }
	after=$(in_namespace bash -c 'cd "$1/opened" && getfattr -R -d -m - -e hex .' - "$dir")
	equal "$after" "$before"
}

@test "large folders, large files with holes, and files with many extents come back" {
	in_namespace bash -c 'cd "$1/tree" && mkdir many && cd many && seq -f "a-name-that-takes-some-room-%.0f" 3000 | xargs touch
		cd .. && python3 - <<-END
			import os
			with open("holes", "wb") as file:
			    for index in range(700):
			        file.seek(index * 16384)
			        file.write(os.urandom(4096))
			    file.truncate(40_000_000)
		END' - "$dir"
	make_filesystem
	# mkfs makes no index of a large folder; a newer one may.
	as_user e2fsck -fyD "$dir/fs" >/dev/null || (($? == 1))
	[[ $(place_of 'htree_dump /many') == *'Number of entries'* ]]
	[[ $(place_of 'ex /holes') == *' 1/ 1 '* ]]
	step unpack-filesystem --filesystem "$dir/fs" --tree "$dir/opened"
	((status == 0)) || { echo "$output" && return 1; }
	in_namespace diff -r "$dir/tree" "$dir/opened"
	(($(in_namespace stat -c %b "$dir/opened/holes") < 10000))
}

@test "a disk that is compressed, or lies on another file, or is encrypted, is read by qemu-img or refused" {
	in_namespace bash -c 'head -c 300000 /dev/urandom >"$1/tree/file"; head -c 3000000 /dev/zero | tr "\0" x >"$1/tree/x"' - "$dir"
	make_filesystem
	make_disk
	as_user qemu-img convert -c -f qcow2 -O qcow2 "$dir/disk.qcow2" "$dir/small.qcow2"
	as_user qemu-img create -q -f qcow2 -b "$dir/disk.qcow2" -F qcow2 "$dir/top.qcow2"
	local disk
	for disk in disk small top; do
		unpack "$dir/$disk.qcow2"
		((status == 0)) || { echo "$output" && return 1; }
		in_namespace diff -r "$dir/tree" "$dir/opened"
		in_namespace rm -rf "$dir/opened"
	done
	nothing_left
}

@test "a disk that was altered, a wrong key and a header that is not ours are refused, and leave nothing" {
	in_namespace bash -c 'head -c 300000 /dev/urandom >"$1/tree/file"' - "$dir"
	make_filesystem
	make_disk
	as_user bash -c 'umask 077; head -c 32 /dev/urandom >"$1/other"' - "$dir"
	unpack "$dir/disk.qcow2" --help >/dev/null
	step unpack-partition --disk "$dir/disk.qcow2" --name cc-data --offset 2097152 --size "$(stat -c %s "$dir/fs")" \
		--sha256 "$sha256" --header "$dir/header" --key-file "$dir/other" --tree "$dir/opened"
	failed_with E_KEY "does not open"
	nothing_left
	# One bit of a block that no file has: only the hash can tell.
	as_user qemu-io -c "write -P 1 $((2097152 + $(stat -c %s "$dir/fs") - 4096)) 1" "$dir/disk.qcow2" >/dev/null
	unpack "$dir/disk.qcow2"
	failed_with E_IMAGE "was altered after its manifest was written"
	nothing_left
	as_user bash -c 'truncate -s 1M "$1/plain"; cryptsetup luksFormat -q --disable-locks --type luks2 --cipher cipher_null-ecb --key-size 256 \
		--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --header "$1/null" --key-file "$1/key" "$1/plain" 2>/dev/null ||
		cryptsetup luksFormat -q --disable-locks --type luks2 --sector-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--header "$1/null" --key-file "$1/key" "$1/plain"' - "$dir"
	mv "$dir/null" "$dir/header"
	unpack "$dir/disk.qcow2"
	failed_with E_IMAGE "not as this tool makes it"
	as_user truncate -s 16k "$dir/empty"
	mv "$dir/empty" "$dir/header"
	unpack "$dir/disk.qcow2"
	failed_with E_IMAGE "no LUKS2 header"
	nothing_left
}

@test "a name that leads out of the tree is refused" {
	in_namespace bash -c 'mkdir "$1/tree/folder" && echo content >"$1/tree/folder/aaXbb"' - "$dir"
	make_filesystem
	local block
	block=$(place_of 'blocks /folder')
	local at
	at=$(grep -obUa aaXbb "$dir/fs" | head -n 1 | cut -d : -f 1)
	((at / 4096 == block))
	poke "$at" 'aa/bb'
	filesystem_is_damaged "has the name b'aa/bb'"
	poke "$at" 'aa\0bb'
	filesystem_is_damaged "has the name"
	# A second "..": five letters become two.
	poke "$at" '..'
	poke $((at - 2)) '\2'
	filesystem_is_damaged "twice"
}

@test "a link never becomes the way to a file" {
	in_namespace bash -c 'cd "$1/tree" && mkdir folder && echo content >folder/file && ln -s /nowhere/at/all bridge' - "$dir"
	make_filesystem
	# Both names are one now: the folder and the link.
	local at
	at=$(grep -obUa bridge "$dir/fs" | head -n 1 | cut -d : -f 1)
	poke "$at" folder
	filesystem_is_damaged twice
}

@test "a folder in itself, and a folder with two names, are refused" {
	in_namespace bash -c 'mkdir -p "$1/tree/a/b"' - "$dir"
	make_filesystem
	cp "$dir/fs" "$dir/good"
	edit 'link /a /a/b/loop'
	filesystem_is_damaged "two ways"
	cat "$dir/good" >"$dir/fs"
	edit 'link /a/b /b'
	filesystem_is_damaged "two ways"
}

@test "devices and what mkfs is never told to make are refused by name" {
	in_namespace bash -c 'echo content >"$1/tree/file"; mkdir "$1/tree/folder"' - "$dir"
	make_filesystem
	cp "$dir/fs" "$dir/good"
	edit 'mknod null c 1 3'
	filesystem_is_damaged "is a device"
	cat "$dir/good" >"$dir/fs"
	edit 'set_inode_field /file flags 0x800'
	filesystem_is_damaged encrypted
	cat "$dir/good" >"$dir/fs"
	edit 'set_inode_field /file flags 0'
	filesystem_is_damaged "has no extents"
	cat "$dir/good" >"$dir/fs"
	edit 'feature inline_data'
	filesystem_is_damaged "features that are not known"
	cat "$dir/good" >"$dir/fs"
	edit 'set_super_value feature_incompat 0x2c6'
	filesystem_is_damaged "features that are not known"
}

@test "a file system that is damaged anywhere is refused or read, and is never written beside the tree" {
	in_namespace bash -c 'cd "$1/tree" && python3 "$2/../test/random-tree.py" 3 . 1700000000' - "$dir" "$BATS_TEST_DIRNAME"
	make_filesystem
	cp "$dir/fs" "$dir/good"
	as_user bash -c 'echo untouched >"$1/witness"' - "$dir"
	local seed failures=0
	for seed in $(seq 25); do
		cat "$dir/good" >"$dir/fs"
		# Bytes of the first blocks, where everything is described.
		as_user python3 - "$dir/fs" "$seed" <<-END
			import os, random, sys
			chance = random.Random(int(sys.argv[2]))
			with open(sys.argv[1], "r+b") as file:
			    for _ in range(200):
			        file.seek(chance.randrange(1024, 120 * 4096))
			        file.write(bytes([chance.randrange(256)]))
		END
		step unpack-filesystem --filesystem "$dir/fs" --tree "$dir/opened"
		if ((status)); then
			failures=$((failures + 1))
			failed_with E_IMAGE
			nothing_left
		fi
		in_namespace rm -rf "$dir/opened"
		equal "$(find "$dir" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd ' ')" "fs good key tree witness"
	done
	((failures >= 5))
	[[ $(cat "$dir/witness") == untouched ]]
}

@test "no room left is said so, and leaves nothing" {
	in_namespace bash -c 'head -c 3000000 /dev/urandom >"$1/tree/file"' - "$dir"
	make_filesystem
	run in_namespace bash -c 'mkdir "$1/small" && mount -t tmpfs -o size=1M tmpfs "$1/small" &&
		CC_STEP_NAMESPACE=1 bash "$2/unpack-filesystem.sh" --filesystem "$1/fs" --tree "$1/small/tree"; status=$?
		ls -A "$1/small"; exit $status' - "$dir" "$BATS_TEST_DIRNAME"
	failed_with E_SPACE "no space left"
	[[ $output != *tree.partial ]]
}
