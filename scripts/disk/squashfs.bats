#!/usr/bin/env bats
# A compressed file system holds the tree as it was, and nothing else. All tools are the real ones.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # quoted programs expand in the namespace; each test is a subshell; user is read by as_user
load ../test/lib.bash

epoch=1700000000

setup() {
	setup_user
	as_user mkdir "$dir/tree"
	as_user bash -c 'umask 077; head -c 32 /dev/urandom >"$1/key"' - "$dir"
}
teardown() { remove_trees; }

make_squashfs() {
	step make-squashfs --content "$dir/tree" --output "$dir/fs" --level "${level:-1}" --source-date-epoch "$epoch" "$@"
	((status == 0)) || { echo "$output" && return 1; }
}

# unpack TREE [ARGUMENT]...: what lies encrypted on $dir/disk.qcow2.
unpack() {
	step unpack-partition --disk "$dir/disk.qcow2" --name cc-data --filesystem squashfs --offset 2097152 \
		--size "$(stat -c %s "$dir/fs")" --sha256 "$sha256" --header "$dir/header" --key-file "$dir/key" --tree "$1" "${@:2}"
}

nothing_left() {
	[[ ! -e $1 ]]
	[[ -z $(find "$dir" -maxdepth 1 -name '*.partial' -o -maxdepth 1 -name '.content*') ]]
}

@test "what is sealed is what is opened, for random trees; the hash tree behind it does not matter" {
	local seed
	for seed in 1 2 3 4 5; do
		in_namespace python3 "$BATS_TEST_DIRNAME/../test/random-tree.py" "$seed" "$dir/tree" "$epoch"
		identity "$dir/tree" >"$BATS_TEST_TMPDIR/before"
		level=$((seed * 3)) make_squashfs
		(($(stat -c %s "$dir/fs") % 4096 == 0))
		equal "${output##*$'\n'}" "$(stat -c %s "$dir/fs")"
		step make-verity --data "$dir/fs" --salt "$(printf '%064d' "$seed")" --report "$dir/verity.json"
		((status == 0)) || { echo "$output" && return 1; }
		encrypted_disk "$dir/disk.qcow2" "$dir/fs"
		unpack "$dir/opened"
		((status == 0)) || { echo "$output" && return 1; }
		diff -u "$BATS_TEST_TMPDIR/before" <(identity "$dir/opened")
		in_namespace rm -rf "$dir"/{tree,opened,fs,header,table} "$dir"/*.qcow2
		as_user mkdir "$dir/tree"
	done
}

@test "the same tree gives the same bytes, whenever, in whatever order and on however many processors" {
	in_namespace python3 "$BATS_TEST_DIRNAME/../test/random-tree.py" 7 "$dir/tree" "$epoch"
	as_user bash -c 'head -c 20000000 /dev/urandom | base64 >"$1/tree/large"; touch -d @1 "$1/tree/large" "$1/tree"' - "$dir"
	make_squashfs --secret "/etc/cc/x.key:$dir/key"
	cp "$dir/fs" "$BATS_TEST_TMPDIR/first"
	in_namespace bash -c 'cp -a "$1/tree" "$1/copy" && rm -rf "$1/tree" && mv "$1/copy" "$1/tree"' - "$dir"
	sleep 1.1
	user+=(taskset --cpu-list 0)
	make_squashfs --secret "/etc/cc/x.key:$dir/key"
	cmp "$dir/fs" "$BATS_TEST_TMPDIR/first"
}

@test "a secret is for root alone, and a folder that becomes a partition stays behind, empty" {
	in_namespace bash -c 'mkdir -p "$1/tree/etc" "$1/tree/opt/x" && echo visible >"$1/tree/opt/x/.file" && chmod 750 "$1/tree/opt/x"' - "$dir"
	make_squashfs --without /opt/x --without /opt/none --secret "/etc/cc/sealed/cc-x.key:$dir/key" --secret "/etc/cc/sealed/cc-y.key:$dir/key"
	encrypted_disk "$dir/disk.qcow2" "$dir/fs"
	unpack "$dir/opened"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(in_namespace bash -c 'cd "$1" && find . -mindepth 1 -printf "%p %m %U:%G %T@\n" | sed "s/\.0*$//" | grep -v "^./etc 755\|^./opt " | sort' - "$dir/opened")" \
		"$(printf '%s\n' "./etc/cc 700 0:0 $epoch" "./etc/cc/sealed 700 0:0 $epoch" "./etc/cc/sealed/cc-x.key 600 0:0 $epoch" \
			"./etc/cc/sealed/cc-y.key 600 0:0 $epoch" "./opt/x 750 0:0 $epoch")"
	in_namespace cmp "$dir/opened/etc/cc/sealed/cc-x.key" "$dir/key"
	in_namespace test ! -e "$dir/tree/etc/cc"
}

@test "a shared root shows through the disks that lean on it, and is opened through them" {
	in_namespace python3 "$BATS_TEST_DIRNAME/../test/random-tree.py" 3 "$dir/tree" "$epoch"
	identity "$dir/tree" >"$BATS_TEST_TMPDIR/before"
	make_squashfs
	as_user mkdir "$dir/shared" "$dir/site"
	table "$(stat -c %s "$dir/fs")"
	step make-luks-header --content "$dir/fs" --header "$dir/header" --key-file "$dir/key" --uuid 11111111-2222-4333-8444-555555555555
	step make-shared --content "$dir/fs" --offset 2097152 --header "$dir/header" --key-file "$dir/key" --output "$dir/shared/root.raw"
	((status == 0)) || { echo "$output" && return 1; }
	sha256=${output##*$'\n'}
	equal "$(tail -c +2097153 "$dir/shared/root.raw" | sha256sum | cut -d ' ' -f 1)" "$sha256"
	equal "$(ls -A "$dir/shared")" root.raw
	as_user bash -c 'head -c 512000 /dev/urandom >"$1/own"' - "$dir"
	step make-disk --output "$dir/site/disk.qcow2" --table "$dir/table" --shared ../shared/root.raw --reserve "cc-first=$dir/own"
	((status == 0)) || { echo "$output" && return 1; }
	step place-partition --disk "$dir/site/disk.qcow2" --table "$dir/table" --name cc-first --content "$dir/own"
	((status == 0)) || { echo "$output" && return 1; }
	(($(stat -c %s "$dir/site/disk.qcow2") < 1500000))
	qemu-img check -q "$dir/site/disk.qcow2"
	step unpack-partition --disk "$dir/site/disk.qcow2" --name cc-data --filesystem squashfs --offset 2097152 \
		--size "$(stat -c %s "$dir/fs")" --sha256 "$sha256" --header "$dir/header" --key-file "$dir/key" --tree "$dir/opened"
	((status == 0)) || { echo "$output" && return 1; }
	diff -u "$BATS_TEST_TMPDIR/before" <(identity "$dir/opened")
	as_user mkdir "$dir/scratch"
	step hash-partition --disk "$dir/site/disk.qcow2" --offset 2097152 --size "$(stat -c %s "$dir/fs")" --scratch "$dir/scratch"
	equal "$output" "$sha256"
	# What a guest writes goes to its own disk, and is seen.
	as_user qemu-io -c 'write -P 0x5a 2097152 512' "$dir/site/disk.qcow2" >/dev/null
	equal "$(tail -c +2097153 "$dir/shared/root.raw" | sha256sum | cut -d ' ' -f 1)" "$sha256"
	step hash-partition --disk "$dir/site/disk.qcow2" --offset 2097152 --size "$(stat -c %s "$dir/fs")" --scratch "$dir/scratch"
	[[ $output =~ ^[0-9a-f]{64}$ && $output != "$sha256" ]]
	rm "$dir/shared/root.raw"
	step hash-partition --disk "$dir/site/disk.qcow2" --offset 2097152 --size 4096 --scratch "$dir/scratch"
	failed_with E_IMAGE 'needs a file that is not there'
}

@test "a secret at an odd place, or in place of a file of the tree, is refused" {
	as_user mkdir "$dir/tree/etc"
	as_user touch "$dir/tree/etc/x"
	local path
	for path in 'etc/x' '/etc/../y' '/etc/a b' '/etc/x' $'/a\n/b'; do
		step make-squashfs --content "$dir/tree" --output "$dir/fs" --level 1 --source-date-epoch "$epoch" --secret "$path:$dir/key"
		failed_with E_STEP_ARGUMENT
	done
	step make-squashfs --content "$dir/tree" --output "$dir/fs" --level 1 --source-date-epoch "$epoch" --secret "/y:$dir/none"
	failed_with E_STEP_ARGUMENT "no such file: '$dir/none'"
	[[ ! -e $dir/fs && ! -e $dir/fs.partial ]]
}

@test "access control lists would be lost: the files are named, and nothing is made" {
	in_namespace bash -c 'cd "$1/tree" && mkdir -p "var/log" && touch "var/log/it'\''s" && python3 - <<-END
		import os, struct
		def acl(*entries): return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
		none = 0xFFFFFFFF
		value = acl((1, 6, none), (2, 4, 1000), (4, 4, none), (16, 5, none), (32, 0, none))
		os.setxattr("var/log/it'\''s", "system.posix_acl_access", value)
		os.setxattr("var", "system.posix_acl_default", value)
	END' - "$dir"
	step make-squashfs --content "$dir/tree" --output "$dir/fs" --level 1 --source-date-epoch "$epoch"
	failed_with E_STEP_FAILED "access control lists of: \"/var/log/it's\" '/var'"
	[[ ! -e $dir/fs && ! -e $dir/fs.partial ]]
}

@test "a file that cannot be read is refused, not sealed empty" {
	echo text >"$dir/tree/file"
	# Its owner is not in the map of the namespace, so not even root there may read it.
	chmod 600 "$dir/tree/file"
	step make-squashfs --content "$dir/tree" --output "$dir/fs" --level 1 --source-date-epoch "$epoch"
	failed_with E_STEP_FAILED "$dir/tree/file"
	nothing_left "$dir/fs"
}

# with_room SIZE COMMAND: run a step in a namespace where $dir/small has that much room, and list what it leaves there.
with_room() {
	run in_namespace bash -c 'mkdir "$1/small" && mount -t tmpfs -o size="$2" tmpfs "$1/small" &&
		CC_STEP_NAMESPACE=1 bash "${@:3}"; status=$?; echo "left: $(ls -A "$1/small")"; exit $status' - "$dir" "$1" "$BATS_TEST_DIRNAME/$2.sh" "${@:3}"
	rmdir "$dir/small"
}

@test "no room left is said so, and leaves nothing: a file system, and a shared root" {
	in_namespace bash -c 'head -c 3000000 /dev/urandom >"$1/tree/file"' - "$dir"
	with_room 1M make-squashfs --content "$dir/tree" --output "$dir/small/fs" --level 1 --source-date-epoch "$epoch"
	failed_with E_SPACE 'is full'
	[[ $output == *'left: ' ]]
	make_squashfs
	step make-luks-header --content "$dir/fs" --header "$dir/header" --key-file "$dir/key" --uuid 11111111-2222-4333-8444-555555555555
	with_room 1M make-shared --content "$dir/fs" --offset 2097152 --header "$dir/header" --key-file "$dir/key" --output "$dir/small/root.raw"
	failed_with E_SPACE 'no space left'
	[[ $output == *'left: ' ]]
}

@test "an altered, damaged or unknown file system gives no tree" {
	as_user bash -c 'head -c 300000 /dev/urandom | base64 >"$1/tree/file"' - "$dir"
	make_squashfs
	encrypted_disk "$dir/disk.qcow2" "$dir/fs"
	unpack "$dir/opened" --sha256 "${sha256/[0-9a-f]/g}"
	failed_with E_STEP_ARGUMENT
	as_user qemu-io -c 'write -P 0x5a 2101248 512' "$dir/disk.qcow2" >/dev/null
	unpack "$dir/opened"
	failed_with E_IMAGE 'was altered after its manifest was written'
	nothing_left "$dir/opened"
	as_user bash -c 'head -c 400000 /dev/urandom >"$1/noise" && truncate -s 401408 "$1/noise"' - "$dir"
	mv "$dir/noise" "$dir/fs"
	rm "$dir/disk.qcow2" "$dir/header"
	encrypted_disk "$dir/disk.qcow2" "$dir/fs"
	unpack "$dir/opened"
	failed_with E_IMAGE
	nothing_left "$dir/opened"
	step unpack-partition --disk "$dir/disk.qcow2" --name cc-data --filesystem btrfs --offset 2097152 --size 4096 \
		--sha256 "$sha256" --tree "$dir/opened"
	failed_with E_IMAGE "the file system of cc-data is 'btrfs'"
}
