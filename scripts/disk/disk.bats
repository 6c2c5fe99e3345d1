#!/usr/bin/env bats
# Trees go through every step of a seal, and come back by every step of an open. All tools are the real ones.

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

random_tree() { in_namespace python3 "$BATS_TEST_DIRNAME/../test/random-tree.py" "$1" "$dir/tree" "$epoch"; }

make_filesystem() {
	step make-filesystem --content "$dir/tree" --output "$dir/fs" --label test --uuid "$uuid" --seed "$uuid" \
		--source-date-epoch "$epoch" "$@"
	((status == 0)) || { echo "$output" && return 1; }
}

@test "a file system that is only read has no journal, and a large one fits as well" {
	local number
	as_user bash -c 'for ((i = 0; i < 3000; i++)); do printf "%s\n" "$i" >"$1/tree/file-$i"; done' - "$dir"
	as_user bash -c 'head -c 30000000 /dev/urandom >"$1/tree/large"' - "$dir"
	make_filesystem --read-only
	run dumpe2fs -h "$dir/fs"
	[[ $output != *has_journal* && $output != *resize_inode* ]]
	number=$(stat -c %s "$dir/fs")
	make_filesystem
	run dumpe2fs -h "$dir/fs"
	[[ $output == *has_journal* ]]
	((number + 16777216 < $(stat -c %s "$dir/fs")))
}

# e2fsprogs 1.46 and the kernels of Ubuntu 22.04 know these and no others, whatever the host's mkfs makes by default.
@test "a file system has the features that a guest of 22.04 knows, whatever this host prefers" {
	as_user tee "$dir/mke2fs.conf" >/dev/null <<-'EOF'
		[defaults]
			base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
		[fs_types]
			ext4 = {
				features = has_journal,extent,huge_file,flex_bg,metadata_csum,metadata_csum_seed,64bit,dir_nlink,extra_isize,orphan_file
			}
	EOF
	MKE2FS_CONFIG=$dir/mke2fs.conf make_filesystem
	equal "$(dumpe2fs -h "$dir/fs" 2>/dev/null | sed -n 's/^Filesystem features: *//p' | tr ' ' '\n' | sort | paste -sd ' ')" \
		"64bit dir_index dir_nlink ext_attr extent extra_isize filetype flex_bg has_journal huge_file large_file metadata_csum resize_inode sparse_super"
}

@test "what is sealed is what is opened, for random trees" {
	local seed size
	for seed in 1 2 3 4 5; do
		random_tree "$seed"
		identity "$dir/tree" >"$BATS_TEST_TMPDIR/before"
		make_filesystem
		size=$(stat -c %s "$dir/fs")
		step make-verity --data "$dir/fs" --salt "$(printf '%064d' "$seed")" --report "$dir/verity.json"
		encrypted_disk "$dir/a, b.qcow2" "$dir/fs"

		step read-partition --disk "$dir/a, b.qcow2" --output "$dir/back" --offset 2097152 --size "$(stat -c %s "$dir/fs")"
		equal "$(sha256sum <"$dir/back" | cut -d ' ' -f 1)" "$sha256"
		step decrypt-partition --data "$dir/back" --header "$dir/header" --key-file "$dir/key"
		((status == 0)) || { echo "$output" && return 1; }
		cmp "$dir/back" "$dir/fs"
		run veritysetup verify --no-superblock --format 1 --hash sha256 --data-blocks $((size / 4096)) --hash-offset "$size" \
			--salt "$(printf '%064d' "$seed")" "$dir/back" "$dir/back" "$(jq -r .rootHash "$dir/verity.json")"
		((status == 0)) || { echo "$output" && return 1; }
		step unpack-filesystem --filesystem "$dir/back" --tree "$dir/opened"
		((status == 0)) || { echo "$output" && return 1; }
		diff -u "$BATS_TEST_TMPDIR/before" <(identity "$dir/opened")

		step unpack-partition --disk "$dir/a, b.qcow2" --name cc-data --offset 2097152 --size "$(stat -c %s "$dir/fs")" \
			--sha256 "$sha256" --header "$dir/header" --key-file "$dir/key" --tree "$dir/direct"
		((status == 0)) || { echo "$output" && return 1; }
		diff -u "$BATS_TEST_TMPDIR/before" <(identity "$dir/direct")
		in_namespace rm -rf "$dir"/{tree,opened,direct,fs,back,header,table} "$dir"/*.qcow2
		as_user mkdir "$dir/tree"
	done
}

@test "read-only content of any size gets a file system" {
	local mebibytes
	for mebibytes in 1 9 30; do
		as_user bash -c 'head -c "$2M" /dev/urandom >"$1/tree/content"' - "$dir" "$mebibytes"
		make_filesystem --read-only
		((status == 0)) || { echo "$mebibytes: $output" && return 1; }
	done
}

@test "a secret is for root alone, and is all that changes" {
	in_namespace bash -c 'mkdir -p "$1/tree/etc" && echo x >"$1/tree/etc/x"' - "$dir"
	make_filesystem
	local path
	for path in /etc/cc/sealed/cc-x.key /etc/cc/sealed/cc-y.key /etc/x; do
		step add-secret --filesystem "$dir/fs" --path "$path" --content "$dir/key" --source-date-epoch "$epoch"
		((status == 0)) || { echo "$output" && return 1; }
		debugfs -R "cat $path" "$dir/fs" 2>/dev/null | cmp - "$dir/key"
		run debugfs -R "stat $path" "$dir/fs"
		[[ $output == *'Mode:  0600'* && $output == *'User:     0   Group:     0'* ]]
		[[ $output == *"mtime: 0x$(printf %08x "$epoch")"* ]]
	done
	run debugfs -R 'stat /etc/cc/sealed' "$dir/fs"
	[[ $output == *'Mode:  0700'* ]]
	run debugfs -R 'stat /etc' "$dir/fs"
	[[ $output == *'Mode:  0755'* ]]
	e2fsck -fn "$dir/fs"
	step add-secret --filesystem "$dir/fs" --path '/etc/../x y' --content "$dir/key" --source-date-epoch "$epoch"
	failed_with E_STEP_ARGUMENT
}

@test "the same tree gives the same bytes, whenever and in whatever order it was made" {
	random_tree 7
	make_filesystem
	in_namespace bash -c 'cp -a "$1/tree" "$1/copy" && rm -rf "$1/tree" && mv "$1/copy" "$1/tree"' - "$dir"
	cp "$dir/fs" "$BATS_TEST_TMPDIR/first"
	sleep 1.1
	make_filesystem
	cmp "$dir/fs" "$BATS_TEST_TMPDIR/first"
}

@test "a folder that becomes a partition stays behind, empty" {
	in_namespace bash -c 'mkdir -p "$1/tree/opt/x" && echo secret >"$1/tree/opt/x/file" && chmod 750 "$1/tree/opt/x"' - "$dir"
	make_filesystem --without /opt/x
	run debugfs -R 'ls -l /opt/x' "$dir/fs"
	[[ $output != *file* ]]
	run debugfs -R 'stat /opt/x' "$dir/fs"
	[[ $output == *'Mode:  0750'* ]]
	run ! grep -q secret "$dir/fs"
}

@test "a wrong key, a key for all to read, and a short key are refused" {
	as_user truncate -s 1M "$dir/data"
	step make-luks-header --content "$dir/data" --header "$dir/header" --key-file "$dir/key" --uuid "$uuid"
	as_user bash -c 'umask 077; head -c 32 /dev/urandom >"$1/other"; echo short >"$1/short"; head -c 32 /dev/urandom >"$1/open"; chmod 644 "$1/open"' - "$dir"
	step decrypt-partition --data "$dir/data" --header "$dir/header" --key-file "$dir/other"
	failed_with E_KEY
	step decrypt-partition --data "$dir/data" --header "$dir/header" --key-file "$dir/open"
	failed_with E_KEY "others can read"
	step decrypt-partition --data "$dir/data" --header "$dir/header" --key-file "$dir/short"
	failed_with E_KEY "fewer than 32 bytes"
}

@test "a disk without room for it, or with too little, takes no encrypted content, and nothing is written" {
	as_user bash -c 'head -c 3145728 /dev/urandom >"$1/data"; head -c 1048576 "$1/data" >"$1/half"' - "$dir"
	encrypted_disk "$dir/disk.qcow2" "$dir/half"
	table 3145728
	local reserve
	for reserve in '' "cc-data=$dir/half" "cc-first=$dir/half"; do
		step make-disk --output "$dir/other.qcow2" --table "$dir/table" ${reserve:+--reserve "$reserve"}
		((status == 0)) || { echo "$output" && return 1; }
		step place-partition --disk "$dir/other.qcow2" --table "$dir/table" --name cc-data --content "$dir/data" \
			--header "$dir/header" --key-file "$dir/key"
		failed_with E_STEP_ARGUMENT "no room set aside for cc-data"
		qemu-img check -q "$dir/other.qcow2"
		(($(stat -c %b "$dir/other.qcow2") * 512 < 1000000))
		rm "$dir/other.qcow2"
	done
}

@test "what is set aside is not shared: each partition has its own, and zeros of the others take no room" {
	as_user bash -c 'head -c 1048576 /dev/urandom >"$1/first"; truncate -s 4M "$1/zeros"; head -c 2097152 /dev/urandom >"$1/data"' - "$dir"
	table 4194304
	step make-luks-header --content "$dir/data" --header "$dir/header" --key-file "$dir/key" --uuid "$uuid"
	step make-disk --output "$dir/disk.qcow2" --table "$dir/table" --reserve "cc-data=$dir/data" --reserve "cc-first=$dir/first"
	((status == 0)) || { echo "$output" && return 1; }
	local name
	for name in data first; do
		step place-partition --disk "$dir/disk.qcow2" --table "$dir/table" --name "cc-$name" --content "$dir/$name" \
			--header "$dir/header" --key-file "$dir/key"
		((status == 0)) || { echo "$output" && return 1; }
	done
	qemu-img check -q "$dir/disk.qcow2"
	for name in first data; do
		step read-partition --disk "$dir/disk.qcow2" --output "$dir/back" --offset "$([[ $name == first ]] && echo 1048576 || echo 2097152)" \
			--size "$(stat -c %s "$dir/$name")"
		step decrypt-partition --data "$dir/back" --header "$dir/header" --key-file "$dir/key"
		cmp "$dir/back" "$dir/$name"
		rm "$dir/back"
	done
	step make-disk --output "$dir/empty.qcow2" --table "$dir/table"
	step place-partition --disk "$dir/empty.qcow2" --table "$dir/table" --name cc-data --content "$dir/zeros"
	((status == 0)) || { echo "$output" && return 1; }
	equal "${output##*$'\n'}" "$(sha256sum <"$dir/zeros" | cut -d ' ' -f 1)"
	(($(stat -c %s "$dir/empty.qcow2") < 1000000))
}

@test "no key appears among the words of any process" {
	as_user truncate -s 64M "$dir/data"
	encrypted_disk "$dir/disk.qcow2" "$dir/data" &
	local words
	while kill -0 $! 2>/dev/null; do
		words=$(cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n')
		[[ $words != *"$(od -An -tx1 -v "$dir/key" | tr -d ' \n')"* ]]
		[[ $words != *"$(base64 -w 0 "$dir/key")"* ]]
	done
	wait $!
}

# Hash what lies in a disk, in a folder where nothing may be left.
hashed() { # DISK OFFSET SIZE
	as_user mkdir -p "$dir/scratch"
	step hash-partition --disk "$1" --offset "$2" --size "$3" --scratch "$dir/scratch"
	[[ -z $(ls -A "$dir/scratch") ]]
}

@test "the hash of a part of a disk is that of its bytes, written, zero, or compressed" {
	local size=$((24 * 1048576)) sha256
	as_user bash -c 'truncate -s 32M "$1/raw" && head -c 3000000 /dev/urandom | dd of="$1/raw" bs=1M seek=5 conv=notrunc status=none' - "$dir"
	sha256=$(tail -c +1048577 "$dir/raw" | head -c "$size" | sha256sum | cut -d ' ' -f 1)
	as_user qemu-img convert -f raw -O qcow2 "$dir/raw" "$dir/sparse, as it is.qcow2"
	as_user qemu-img convert -c -f raw -O qcow2 "$dir/raw" "$dir/compressed.qcow2"
	for name in 'sparse, as it is' compressed; do
		hashed "$dir/$name.qcow2" 1048576 "$size"
		((status == 0)) || { echo "$output" && return 1; }
		equal "$output" "$sha256"
	done
	as_user qemu-io -c 'write -P 0x5a 6291456 512' "$dir/sparse, as it is.qcow2" >/dev/null
	hashed "$dir/sparse, as it is.qcow2" 1048576 "$size"
	((status == 0)) && [[ $output =~ ^[0-9a-f]{64}$ && $output != "$sha256" ]]
}

@test "a disk that ends before its content, or whose file is cut off, has no hash" {
	as_user bash -c 'head -c 8388608 /dev/urandom >"$1/raw"' - "$dir"
	as_user qemu-img convert -f raw -O qcow2 "$dir/raw" "$dir/disk.qcow2"
	hashed "$dir/disk.qcow2" 4194304 8388608
	failed_with E_IMAGE
	as_user truncate -s 6M "$dir/disk.qcow2"
	hashed "$dir/disk.qcow2" 0 8388608
	failed_with E_IMAGE
	hashed "$dir/raw" 0 4096
	failed_with E_IMAGE
}

@test "a file system that is none, and a disk that is none, are refused" {
	as_user bash -c 'head -c 1000000 /dev/urandom >"$1/noise"' - "$dir"
	step unpack-filesystem --filesystem "$dir/noise" --tree "$dir/new"
	failed_with E_IMAGE
	[[ ! -e $dir/new ]]
	step read-partition --disk "$dir/noise" --output "$dir/out" --offset 0 --size 4096
	failed_with E_IMAGE
	[[ ! -e $dir/out ]]
}

@test "content that is larger than its partition is refused with both sizes" {
	as_user truncate -s 3M "$dir/data"
	table 1048576
	step make-disk --output "$dir/d.qcow2" --table "$dir/table"
	step place-partition --disk "$dir/d.qcow2" --table "$dir/table" --name cc-data --content "$dir/data"
	failed_with E_SIZE "cc-data holds 1048576 bytes, its content has 3145728"
}

@test "the sealing archive comes out of the initrd as it went in" {
	as_user bash -c 'cd "$1"; head -c 10001 /dev/urandom >os; printf "version=1\n" >boot.conf; head -c 5000 /dev/urandom >cc-root.luks' - "$dir"
	step make-initrd --initrd "$dir/os" --boot-conf "$dir/boot.conf" --header "$dir/cc-root.luks" --output "$dir/initrd" --source-date-epoch "$epoch"
	((status == 0)) || { echo "$output" && return 1; }
	local offset=$output
	((offset % 4 == 0))
	cmp -n 10001 "$dir/os" "$dir/initrd"
	step unpack-initrd --initrd "$dir/initrd" --offset "$offset" --output "$dir/sealed"
	cmp "$dir/sealed/boot.conf" "$dir/boot.conf"
	cmp "$dir/sealed/headers/cc-root.luks" "$dir/cc-root.luks"
	step unpack-initrd --initrd "$dir/initrd" --offset 0 --output "$dir/none"
	failed_with E_IMAGE
}

@test "an initrd is searched with each of its archives decompressed" {
	local program
	printf 'in the clear.' >"$dir/initrd"
	for program in gzip xz bzip2; do
		printf 'the secret of %s' "$program" | "$program" -c >>"$dir/initrd"
	done
	if grep -qF "the secret of gzip" "$dir/initrd"; then return 1; fi
	step expand-initrd --initrd "$dir/initrd" --output "$dir/content"
	((status == 0)) || { printf '%s\n' "$output" >&2 && return 1; }
	for program in gzip xz bzip2; do grep -qF "the secret of $program" "$dir/content"; done
	grep -qF 'in the clear' "$dir/content"
}

@test "an initrd needs the programs of its own archives, not of bytes that look like the start of another" {
	local bin=$dir/bin program
	as_user mkdir "$bin"
	for program in bash dirname readlink sed grep setpriv unshare python3 cp mv tail gzip; do as_user ln -s "/usr/bin/$program" "$bin/"; done
	printf 'BZh BZh9 \x02!L\x18 \x89LZO in the clear' >"$dir/initrd"
	printf 'the secret of gzip' | gzip -c >>"$dir/initrd"
	expand() { run as_user env PATH="$bin" "$bin/bash" "$BATS_TEST_DIRNAME/expand-initrd.sh" --initrd "$dir/initrd" --output "$dir/content"; }
	expand
	((status == 0)) || { printf '%s\n' "$output" >&2 && return 1; }
	grep -qF 'the secret of gzip' "$dir/content"
	printf 'the secret of bzip2' | bzip2 -c >>"$dir/initrd"
	expand
	failed_with E_HOST_TOOL
	[[ $output == *"'bzip2'"* ]]
}
