#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031 # programs for other shells; each test has its own variables
# The contract of a key source (docs/boot.md), for every one of ours. For one of yours:
#   CC_KEY_SOURCE=/path/of/the/executable CC_KEY_SOURCE_ROOT=/folder/that/stands/in bats scripts/guest/key-source.bats -f contract
# The folder is one in which it has a key for the partition cc-test.

load ../test/guest.bash

setup() {
	bats_require_minimum_version 1.5.0
	dir=$BATS_TEST_TMPDIR
	guest=$BATS_TEST_DIRNAME/cc
	if [[ -n ${CC_KEY_SOURCE-} ]]; then
		sources=("$(basename -- "$CC_KEY_SOURCE")")
	else
		mapfile -t sources < <(ls "$guest/key-source")
	fi
}

# root NAME: a folder that stands in for the file system, with all that the key source NAME needs.
root() {
	rm -rf "$dir/root"
	mkdir -p "$dir/root"/{dev,run/cc,etc/cc/sealed,usr/lib/cc,usr/local/bin}
	cp -r "$guest/lib" "$guest/key-source" "$dir/root/usr/lib/cc/"
	[[ -z ${CC_KEY_SOURCE-} ]] || cp "$CC_KEY_SOURCE" "$dir/root/usr/lib/cc/key-source/"
	guest_programs "$dir/root"
	: >"$dir/root/dev/console"
	if [[ -n ${CC_KEY_SOURCE_ROOT-} ]]; then
		cp -r "$CC_KEY_SOURCE_ROOT/." "$dir/root/"
	elif declare -F "root_$1" >/dev/null; then
		"root_$1"
	fi
	find "$dir/root" | sort >"$dir/before"
}

conf() { printf '%s\n' version=1 "$@" >"$dir/root/run/cc/boot.conf"; }

root_development() {
	local entry="$dir/root/sys/firmware/qemu_fw_cfg/by_name/opt/cc/keys/cc-test"
	mkdir -p "$entry" && head -c 32 /dev/urandom >"$entry/raw"
}

root_key-file() { head -c 32 /dev/urandom >"$dir/root/etc/cc/test.key"; }

root_sealed() { head -c 32 /dev/urandom >"$dir/root/etc/cc/sealed/cc-test.key"; }

root_tee-derived() {
	: >"$dir/root/dev/sev-guest"
	conf tee-derived.root-key=vcek tee-derived.fields=1001 tee-derived.vmpl=0
	program snpguest '[ "$*" = "key $2 vcek --vmpl 0 --guest_field_select 0b1001" ] || exit 2' \
		'printf "%s" "0123456789abcdef0123456789abcdef" >"$2"' 'echo "a derived key was written"'
}

root_kbs() {
	: >"$dir/root/dev/sev-guest"
	mkdir "$dir/root/run/cc/kbs" && echo certificate >"$dir/root/run/cc/kbs/ca.pem"
	conf kbs.url=https://kbs.example kbs.timeout=2 kbs.attempts=2 cc-test.kbs-resource=a/b/cc-test
	program kbs-client "[ \"\$*\" = \"--url https://kbs.example --cert-file $dir/root/run/cc/kbs/ca.pem get-resource --path a/b/cc-test\" ] || exit 2" \
		'echo "[INFO] asking" >&2' 'echo MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='
}

# program NAME LINE...: a stand-in below /usr/local/bin
program() {
	printf '%s\n' '#!/bin/sh' "${@:2}" >"$dir/root/usr/local/bin/$1"
	chmod 755 "$dir/root/usr/local/bin/$1"
}

# initrd_only SOURCE: let a key source have the programs of the initrd, as the hook and 55-keys put them there, and no other.
initrd_only() {
	local program
	mkdir "$dir/initrd"
	for program in $(sed -n 's/^for tool in \(cryptsetup .*\); do$/\1/p' "$guest/../initramfs/hooks/cc") sh env modprobe sleep \
		$(sed -nE "s,.*printf '%s.n' (/usr/local/bin/(kbs-client|snpguest) .*) >>\"\\\$programs\".*,\1,p" "$guest/../../base/55-keys.sh"); do
		[[ $program == */* || -z $(type -P "$program") ]] || ln -sf "$(type -P "$program")" "$dir/initrd/"
	done
	[[ -x $dir/initrd/cryptsetup && -x $dir/initrd/base64 && -x $dir/initrd/sha256sum && ! -e $dir/initrd/rmdir ]]
}

# ask SOURCE [PARTITION]: as fetch_key does. $status; the key in $dir/key, the words in $dir/words.
ask() {
	local file=
	[[ $1 != key-file ]] || file=/etc/cc/test.key
	status=0
	env -i PATH="${programs:-$PATH}" ROOT="$dir/root" KEY_FILE="$file" BOOT_CONF="$dir/root/run/cc/boot.conf" \
		timeout 30 "$dir/root/usr/lib/cc/key-source/$1" "${2-cc-test}" </dev/null >"$dir/key" 2>"$dir/words" || status=$?
}

fails_for() { # REASON: without a key on the way
	((status != 0 && status != 124)) && [[ ! -s $dir/key ]] && head -n 1 "$dir/words" | grep -qF -- "$1" && return
	printf 'status %s, %s bytes, said: %s\n' "$status" "$(wc -c <"$dir/key")" "$(cat "$dir/words")" >&2
	return 1
}

@test "contract: with what it needs it gives a key, exits 0, and leaves nothing behind" {
	local source
	for source in "${sources[@]}"; do
		root "$source"
		ask "$source"
		((status == 0)) || { echo "$source: $status $(cat "$dir/words")" >&2 && return 1; }
		(($(wc -c <"$dir/key") >= 16))
		diff -u "$dir/before" <(find "$dir/root" | sort) || { echo "$source" >&2 && return 1; }
	done
}

@test "contract: it needs no program that the initrd does not have" {
	local source programs=$dir/initrd
	initrd_only
	for source in "${sources[@]}"; do
		root "$source"
		ask "$source"
		((status == 0)) && [[ ! -s $dir/words ]] || { echo "$source: $status $(cat "$dir/words")" >&2 && return 1; }
	done
}

@test "contract: no key is among its words, in any form" {
	local source form
	for source in "${sources[@]}"; do
		root "$source"
		ask "$source"
		for form in "$(base64 -w 0 "$dir/key")" "$(od -A n -v -t x1 "$dir/key" | tr -d ' \n')" "$(tr -cd ' -~' <"$dir/key" | head -c 24)"; do
			[[ ${#form} -lt 12 ]] || run ! grep -qF -- "$form" "$dir/words"
			[[ ${#form} -lt 12 ]] || run ! grep -qF -- "$form" "$dir/root/dev/console"
		done
	done
}

@test "contract: where it gives no key it gives nothing, and says why in one plain line" {
	local source
	for source in "${sources[@]}"; do
		[[ $source != tee-ephemeral ]] || continue # It needs nothing.
		CC_KEY_SOURCE_ROOT='' root nothing
		ask "$source"
		fails_for '' || { echo "$source" >&2 && return 1; }
		run head -n 1 "$dir/words"
		[[ $output =~ ^[\ -~]{10,300}$ ]] || { echo "$source said: $output" >&2 && return 1; }
	done
}

@test "contract: it uses the stand-in of the file system, and not the machine" {
	local source
	for source in "${sources[@]}"; do
		root "$source"
		run timeout 30 strace -f -qq -e trace=openat,execve -o "$dir/trace" env -i PATH="$PATH" \
			BOOT_CONF="$dir/root/run/cc/boot.conf" KEY_FILE=/etc/cc/test.key "$dir/root/usr/lib/cc/key-source/$source" cc-test
		[[ -e $dir/trace ]] || skip "strace does not work here"
		run grep -E '"(/dev/sev-guest|/dev/tdx_guest|/etc/cc/|/run/cc|/sys/firmware)' "$dir/trace"
		((status == 1)) || { echo "$source: $output" >&2 && return 1; }
	done
}

@test "key-file: no file is no key, which is not a failure of its own; a short one is" {
	root key-file
	rm "$dir/root/etc/cc/test.key"
	ask "key-file"
	((status == 3))
	fails_for "there is no key file '/etc/cc/test.key'"
	echo short >"$dir/root/etc/cc/test.key"
	ask "key-file"
	((status == 1))
	fails_for 'fewer than 16 bytes'
}

@test "sealed: it is the file of the partition, and no other" {
	root sealed
	ask "sealed"
	cmp "$dir/key" "$dir/root/etc/cc/sealed/cc-test.key"
	ask "sealed" cc-other
	fails_for 'has no /etc/cc/sealed/cc-other.key'
	echo short >"$dir/root/etc/cc/sealed/cc-test.key"
	ask "sealed"
	fails_for 'fewer than 32 bytes'
}

@test "tee-ephemeral: another one each time" {
	root tee-ephemeral
	ask "tee-ephemeral"
	cp "$dir/key" "$dir/first"
	(($(wc -c <"$dir/first") == 32))
	ask "tee-ephemeral"
	run ! cmp -s "$dir/key" "$dir/first"
}

@test "tee-derived: 64 bytes by the derivation of SP 800-56C, the same each time, others for another partition" {
	root tee-derived
	ask "tee-derived"
	python3 - "$dir/key" <<-'EOF2'
		import hashlib, sys
		secret, text = b"0123456789abcdef" * 2, b"cc partition key cc-test"
		expected = b"".join(hashlib.sha256(n.to_bytes(4, "big") + secret + text).digest() for n in (1, 2))
		assert open(sys.argv[1], "rb").read() == expected
	EOF2
	cp "$dir/key" "$dir/first"
	ask "tee-derived"
	cmp "$dir/key" "$dir/first"
	ask "tee-derived" cc-other
	run ! cmp -s "$dir/key" "$dir/first"
}

@test "tee-derived: svn and tcb-version reach snpguest, where boot.conf has them" {
	root tee-derived
	conf tee-derived.root-key=vcek tee-derived.fields=111001 tee-derived.vmpl=0 tee-derived.svn=3 tee-derived.tcb-version=0xd315000000000004
	program snpguest '[ "$*" = "key $2 vcek --vmpl 0 --guest_field_select 0b111001 --guest_svn 3 --tcb_version 0xd315000000000004" ] || exit 2' \
		'printf "%s" "0123456789abcdef0123456789abcdef" >"$2"'
	ask "tee-derived"
	((status == 0)) || { echo "$output" && return 1; }
	(($(wc -c <"$dir/key") == 64))
}

@test "tee-derived: without SEV-SNP snpguest is not even called" {
	root tee-derived
	rm "$dir/root/dev/sev-guest"
	: >"$dir/root/dev/tdx_guest"
	program snpguest 'touch "$ROOT/called"'
	ask "tee-derived"
	fails_for 'this machine has no SEV-SNP'
	[[ ! -e $dir/root/called ]]
}

@test "tee-derived: what is no key is refused, and the derived key is gone afterwards" {
	local line
	for line in 'exit 1' ':' 'printf short >"$2"' 'head -c 32 /dev/zero >"$2"' 'head -c 33 /dev/urandom >"$2"'; do
		root tee-derived
		program snpguest "$line"
		ask "tee-derived"
		fails_for snpguest || { echo "$line" >&2 && return 1; }
		diff -u "$dir/before" <(find "$dir/root" | sort)
	done
	rm "$dir/root/usr/local/bin/snpguest"
	ask "tee-derived"
	fails_for 'there is no /usr/local/bin/snpguest'
}

@test "kbs: the key is what the answer says in base64" {
	root kbs
	ask "kbs"
	((status == 0))
	[[ $(cat "$dir/key") == 0123456789abcdef0123456789abcdef ]]
}

@test "kbs: where the machine is not confidential the broker is not asked" {
	root kbs
	rm "$dir/root/dev/sev-guest"
	program kbs-client 'touch "$ROOT/called"'
	ask "kbs"
	fails_for 'this machine is not confidential'
	[[ ! -e $dir/root/called ]]
	: >"$dir/root/dev/tdx_guest"
	ask "kbs"
	[[ -e $dir/root/called ]]
}

@test "kbs: it is asked as often as configured, and its last words are shown without control characters" {
	root kbs
	program kbs-client 'echo x >>"$ROOT/count"' 'printf "first\nno \033[31maccess\n\n" >&2' 'exit 7'
	ask "kbs"
	fails_for 'https://kbs.example releases no key after 2 attempts: first no [31maccess'
	(($(wc -l <"$dir/root/count") == 2))
	run ! grep -q $'\033' "$dir/words"
	program kbs-client 'exit 7'
	ask "kbs"
	fails_for 'after 2 attempts: exit status 7'
}

# says TEXT REASON [STATUS]: where kbs-client says TEXT, the console says REASON, in one line that is not too long.
says() {
	root kbs
	printf '%s\n' "$1" >"$dir/text"
	program kbs-client 'cat "$ROOT/../text" >&2' 'exit 1'
	ask "kbs"
	fails_for "after 2 attempts: $2"
	((status == ${3-1})) || { echo "status $status for: $2" && return 1; }
	(($(wc -l <"$dir/words") == 1 && $(wc -c <"$dir/words") < 300))
	diff -u "$dir/before" <(find "$dir/root" | sort)
}

@test "kbs: the console has the part that helps of what kbs-client says" {
	local retry='  2026-08-21T09:11:50Z  WARN kbs_protocol: RCAR handshake failed: RcarHandshake("error sending request for url (https://kbs.example/kbs/v0/auth)'
	local denied='WARN kbs_protocol::client: Authenticating with KBS failed. Perform a new RCAR handshake: ErrorInformation {
    error_type: "https://github.com/confidential-containers/kbs/errors/TokenNotFound",
    detail: "Attestation Token not found",
}
WARN kbs_protocol::client: Authenticating with KBS failed. Perform a new RCAR handshake: ErrorInformation {
    error_type: "https://github.com/confidential-containers/kbs/errors/PolicyDeny",
    detail: "Access denied by policy",
}
Error: request unauthorized'
	says "$retry Caused by: invalid peer certificate: UnknownIssuer\"), retry 1...
Error: RCAR handshake failed: Unable to get token." 'its certificate is not one of the configured authority: UnknownIssuer'
	says "$retry tcp connect error Caused by: Connection refused (os error 111)" 'Connection refused' 4
	says "$retry dns error: failed to lookup address information" 'failed to lookup address' 4
	says "$denied" 'denied by its policy'
	# A connection that was lost before the broker answered decides nothing; one that was lost after that does.
	says "$retry Caused by: Connection reset by peer, retry 1...
$denied" 'denied by its policy'
	says 'WARN Authenticating with KBS failed: ErrorInformation { detail: "Attestation Token not found", }
Error: Connection reset by peer' 'Connection reset' 4
	says "${denied//Access denied by policy/Plugin internal error}" 'it has no such resource (a/b/cc-test)'
	says 'Error: request unauthorized' 'denied by its policy, or there is no such resource (a/b/cc-test)'
	says "${denied//Access denied by policy/Attestation error: Report TCB is older}" 'Attestation error: Report TCB is older'
	says "WARN attester: No TEE platform detected. Sample Attester will be used.
Error: request unauthorized" 'kbs-client finds no TEE, and would show made-up evidence'
	says "$(printf 'noise %.0s' {1..20000}) the cause" ''
	says "$(printf 'noise %.0s' {1..200}) the cause" ''
	grep -q 'the cause$' "$dir/words"
}

@test "kbs: the configured authority is the only one that the client knows" {
	root kbs
	program kbs-client '[ "$SSL_CERT_FILE" = "$ROOT/run/cc/kbs/ca.pem" ] && [ -d "$SSL_CERT_DIR" ] && rmdir "$SSL_CERT_DIR" || exit 3' \
		'[ "$RUST_LOG" = warn ] || exit 4' 'head -c 32 /dev/urandom | base64'
	ask "kbs"
	((status == 0)) || { cat "$dir/words" >&2 && return 1; }
}

@test "kbs: the second attempt may succeed" {
	root kbs
	program kbs-client '[ -e "$ROOT/once" ] || { : >"$ROOT/once"; exit 1; }' 'head -c 32 /dev/urandom | base64'
	ask "kbs"
	((status == 0))
}

@test "kbs: a broker that does not answer takes the configured time, not for ever" {
	root kbs
	program kbs-client 'exec sleep 60'
	SECONDS=0
	ask "kbs"
	fails_for 'no answer within 2 seconds'
	((SECONDS < 20))
}

@test "kbs: an answer that is no key is refused" {
	local line
	for line in 'echo "<html>no</html>"' 'echo c2hvcnQ=' ':' 'head -c 6000 /dev/urandom | base64 -w 0'; do
		root kbs
		program kbs-client "$line"
		ask "kbs"
		fails_for 'key broker' || { echo "$line" >&2 && return 1; }
		diff -u "$dir/before" <(find "$dir/root" | sort)
	done
}

@test "kbs: without client, certificate or address there is a reason for each" {
	root kbs
	rm "$dir/root/run/cc/kbs/ca.pem"
	ask "kbs"
	fails_for 'no certificate of the key broker'
	root kbs
	rm "$dir/root/usr/local/bin/kbs-client"
	ask "kbs"
	fails_for 'there is no /usr/local/bin/kbs-client'
	root kbs
	conf kbs.url=https://kbs.example kbs.timeout=2 kbs.attempts=2
	ask "kbs"
	fails_for 'boot.conf does not say where the key of cc-test is'
}
