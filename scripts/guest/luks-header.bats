#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # programs for other shells; each test has its own variables
# Hostile LUKS2 headers, made with the real cryptsetup. Only the one form that the guest itself makes is accepted.

setup() {
	dir=$BATS_TEST_TMPDIR
	header=$dir/header
	head -c 32 /dev/urandom >"$dir/key"
}

# format ARGUMENT...: as luks_format in cc/lib/partition.sh does, with ARGUMENTs on top.
format() {
	truncate -s 20M "$dir/disk"
	dash -c '. "$1/lib/console.sh"; . "$1/lib/partition.sh"; shift; luks_format "$@"' - "$BATS_TEST_DIRNAME/cc" \
		--offset 2048 --key-file "$dir/key" "$@" "$dir/disk" 2>/dev/null
	backup
}

backup() {
	rm -f "$header"
	cryptsetup luksHeaderBackup "$dir/disk" --header-backup-file "$header"
}

# rewrite PYTHON: change the metadata of both copies and mend their checksums, as an attacker would.
rewrite() {
	python3 - "$header" "$1" <<-'EOF'
		import hashlib, json, sys
		path, change = sys.argv[1:]
		blob = bytearray(open(path, "rb").read())
		for start in (0, 16384):
		    area = blob[start:start + 16384]
		    text = bytes(area[4096:]).split(b"\0")[0]
		    meta = json.loads(text)
		    exec(change)
		    new = json.dumps(meta, separators=(",", ":")).encode()
		    area[4096:] = new + bytes(16384 - 4096 - len(new))
		    area[448:512] = bytes(64)
		    area[448:480] = hashlib.sha256(area).digest()
		    blob[start:start + 16384] = area
		open(path, "wb").write(blob)
	EOF
}

check() { run dash "$BATS_TEST_DIRNAME/cc/check-luks-header" "$header"; }

refused() { # REASON
	check
	((status == 1)) && [[ $output == *"$1"* ]] && return
	printf 'status %s: %s\n' "$status" "$output" >&2
	return 1
}

@test "the form that the guest makes is accepted" {
	format
	check
	((status == 0)) || { echo "$output" && return 1; }
	rewrite 'pass'
	check
	((status == 0)) || { echo "$output" && return 1; }
}

@test "a null cipher for the data" {
	format
	rewrite 'meta["segments"]["0"]["encryption"] = "cipher_null-ecb"'
	refused segments
}

@test "a null cipher for the keyslot" {
	format
	rewrite 'meta["keyslots"]["0"]["area"]["encryption"] = "cipher_null-ecb"'
	refused keyslots
}

@test "a second segment" {
	format
	rewrite 'meta["segments"]["0"]["size"] = "4096"; meta["segments"]["1"] = {"type": "linear", "offset": "1052672", "size": "dynamic"}'
	refused segments
}

@test "a second keyslot" {
	format
	head -c 32 /dev/urandom >"$dir/other"
	cryptsetup luksAddKey --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$dir/key" "$dir/disk" "$dir/other" 2>/dev/null ||
		skip "the keyslot area has no room for a second one with this cryptsetup"
	backup
	refused keyslots
}

@test "a token" {
	format
	echo '{"type":"x","keyslots":[]}' | cryptsetup token import --json-file - "$dir/disk"
	backup
	refused tokens
}

@test "a requirement, as an unfinished re-encryption has it" {
	format
	rewrite 'meta["config"]["requirements"] = {"mandatory": ["online-reencrypt-v2"]}'
	refused ""
}

@test "a flag that is kept between boots" {
	format
	cryptsetup refresh --help >/dev/null
	rewrite 'meta["config"]["flags"] = ["allow-discards"]'
	refused config
}

@test "data that begin elsewhere" {
	format
	rewrite 'meta["segments"]["0"]["offset"] = "2097152"'
	refused segments
}

@test "another cipher, key size, sector size, hash or number of iterations" {
	format --cipher aes-cbc-essiv:sha256 --key-size 256
	refused keyslots
	format --sector-size 512
	refused segments
	format --hash sha512
	refused ""
	format --pbkdf-force-iterations 1001
	refused keyslots
}

@test "oversized areas" {
	format --luks2-keyslots-size 4M --offset 16384
	refused ""
	format --luks2-metadata-size 64k
	refused "metadata size"
}

@test "a label or a subsystem" {
	format --label evil
	refused label
	format --subsystem evil
	refused subsystem
}

@test "an unknown key anywhere" {
	format
	rewrite 'meta["extra"] = {}'
	refused ""
	format
	rewrite 'meta["keyslots"]["0"]["priority"] = 2'
	refused keyslots
}

@test "LUKS1, noise, and nothing" {
	truncate -s 20M "$dir/disk"
	cryptsetup luksFormat --batch-mode --type luks1 --key-file "$dir/key" --pbkdf-force-iterations 1000 "$dir/disk"
	backup
	refused "version 2"
	head -c 1000000 /dev/urandom >"$header"
	refused magic
	: >"$header"
	refused magic
}

@test "two copies that differ: the second, newer one is as hostile as the first" {
	format
	python3 - "$header" <<-'EOF'
		import sys
		blob = bytearray(open(sys.argv[1], "rb").read())
		blob[4096:4196] = bytes(100)
		open(sys.argv[1], "wb").write(blob)
	EOF
	check
	# cryptsetup takes the good copy; whatever it takes is what was compared.
	if ((status == 0)); then
		run cryptsetup luksDump --dump-json-metadata "$header"
		[[ $output == *aes-xts-plain64* ]]
	fi
}
