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

# check [INTEGRITY]
check() { run dash "$BATS_TEST_DIRNAME/cc/check-luks-header" "$header" "$@"; }

refused() { # REASON [INTEGRITY]
	check "${@:2}"
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

# Without device-mapper cryptsetup cannot format an authenticated device. This is what it writes where it can: a boot of
# an image with integrity hmac compares the real one (e2e/keys/hmac.e2e.test.ts).
format_hmac() {
	format
	rewrite 'meta["keyslots"]["0"]["key_size"] = 96
meta["keyslots"]["0"]["area"]["size"] = "385024"
meta["segments"]["0"]["integrity"] = {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}'
}

@test "the authenticated form is accepted where it is expected, and only there" {
	format_hmac
	check hmac
	((status == 0)) || { echo "$output" && return 1; }
	refused keyslots
	refused keyslots none
	format
	refused keyslots hmac
}

@test "another authentication, or one with less" {
	local change
	for change in '["type"] = "none"' '["type"] = "aead"' '["type"] = "hmac(sha1)"' '["type"] = "poly1305"' '["journal_integrity"] = "hmac"' '["x"] = 1'; do
		format_hmac
		rewrite "meta['segments']['0']['integrity']$change"
		refused segments hmac
	done
	format_hmac
	rewrite 'del meta["segments"]["0"]["integrity"]'
	refused segments hmac
	format
	rewrite 'meta["segments"]["0"]["integrity"] = {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}'
	refused segments
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

@test "a re-encryption that the host has begun, by the real cryptsetup" {
	local flags=(--batch-mode --disable-locks --disable-keyring --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$dir/key")
	format
	cryptsetup reencrypt "${flags[@]}" --init-only --resilience none --cipher aes-xts-plain64 --key-size 512 "$dir/disk" ||
		skip "this cryptsetup cannot begin one on a file"
	backup
	refused keyslots
}

@test "a decryption that the host has begun (CVE-2021-4122), in the metadata alone" {
	format
	rewrite 'meta["config"]["requirements"] = {"mandatory": ["online-reencrypt-v2"]}
meta["segments"]["1"] = dict(meta["segments"]["0"], flags=["backup-final"])
meta["digests"]["0"]["segments"] = ["0", "1"]
meta["keyslots"]["1"] = {"type": "reencrypt", "key_size": 1, "mode": "decrypt", "direction": "forward", "af": {"type": "none"}, "area": {"type": "none", "offset": "290816", "size": "266240"}}'
	refused ''
	rewrite 'meta["config"]["requirements"] = {"mandatory": ["something-new"]}'
	refused ''
}

@test "areas that are moved over each other, or out of the header" {
	local offset
	for offset in 0 4096 16384 32769 1048576 18446744073709551615; do
		format
		rewrite "meta['keyslots']['0']['area']['offset'] = '$offset'"
		refused ''
	done
	format
	rewrite 'meta["keyslots"]["0"]["area"]["size"] = "999999999999"'
	refused ''
	format
	rewrite 'meta["config"]["keyslots_size"] = "999999995904"'
	refused ''
	format
	rewrite 'meta["config"]["json_size"] = "4096"'
	refused ''
}

@test "a segment of a fixed size, another tweak, a flag on it" {
	local change
	for change in '["size"] = "4096"' '["iv_tweak"] = "8"' '["flags"] = ["x"]' '["type"] = "linear"' '["sector_size"] = 512'; do
		format
		rewrite "meta['segments']['0']$change"
		refused ''
	done
}

@test "a digest that binds nothing, or another segment" {
	format
	rewrite 'meta["digests"]["0"]["keyslots"] = []'
	refused ''
	format
	rewrite 'meta["digests"]["0"]["segments"] = []'
	refused ''
	format
	rewrite 'meta["digests"]["1"] = meta["digests"]["0"]'
	refused ''
	format
	rewrite 'meta["digests"]["0"]["iterations"] = 1'
	refused ''
}

@test "metadata that fill all their room, and text behind them" {
	format
	rewrite 'meta["keyslots"]["0"]["x"] = "A" * 11000'
	refused ''
	format
	rewrite 'meta["tokens"] = {str(n): {"type": "x", "keyslots": []} for n in range(31)}'
	refused ''
}

@test "a salt that is no salt, so that it would hide something in the comparison" {
	format
	rewrite 'meta["digests"]["0"]["salt"] = "A" * 43 + "=\",\"x\":\"" + "A" * 43 + "="'
	refused ''
	format
	rewrite 'meta["keyslots"]["0"]["kdf"]["salt"] = ""'
	refused ''
}

@test "the two copies swapped, and a newer second one by the real cryptsetup" {
	format
	python3 - "$header" <<-'EOF'
		import sys
		blob = open(sys.argv[1], "rb").read()
		open(sys.argv[1], "wb").write(blob[16384:32768] + blob[:16384] + blob[32768:])
	EOF
	refused ''
	# The first copy is broken, the second is hostile and whole: what cryptsetup would use is what is judged.
	format
	rewrite 'meta["segments"]["0"]["encryption"] = "cipher_null-ecb" if start else meta["segments"]["0"]["encryption"]'
	dd if=/dev/zero of="$header" bs=4096 seek=1 count=1 conv=notrunc 2>/dev/null
	refused segments
	# Both whole, the second with a higher sequence number.
	format
	rewrite 'meta["segments"]["0"]["encryption"] = "cipher_null-ecb" if start else meta["segments"]["0"]["encryption"]
area[23] += 1 if start else 0'
	refused segments
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
