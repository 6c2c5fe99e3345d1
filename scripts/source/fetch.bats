#!/usr/bin/env bats
# fetch.sh with real servers on loopback and real keys.

load ../test/lib.bash

setup() {
	setup_user
	as_user mkdir "$dir/www"
	echo content | as_user tee "$dir/www/file" >/dev/null
	hash=$(sha256sum "$dir/www/file" | cut -d ' ' -f 1)
	server=
}

teardown() {
	[[ -z $server ]] || kill "$server" 2>/dev/null || true
}

serve() {
	# 3: bats waits for whoever has it open.
	"${user[@]}" python3 -u -m http.server --bind 127.0.0.1 --directory "$dir/www" 0 >"$dir/server" 2>&1 3>&- &
	server=$!
	for _ in {1..100}; do
		port=$(grep -oP 'port \K\d+' "$dir/server") && return
		sleep 0.1
	done
	return 1
}

fetch() { step fetch --output "$dir/out/file" "$@"; }
nothing() { [[ ! -e $dir/out || -z $(ls -A "$dir/out") ]]; }

@test "a file comes over http and is checked" {
	serve
	fetch --url "http://127.0.0.1:$port/file" --sha256 "$hash"
	((status == 0)) || { echo "$output" && false; }
	cmp "$dir/www/file" "$dir/out/file"
	equal "$(ls "$dir/out")" file
}

@test "another sha256 is refused with both, and nothing is kept" {
	fetch --url "file://$dir/www/file" --sha256 "${hash//?/0}"
	failed_with E_SHA256 "is $hash, not ${hash//?/0}"
	nothing
}

@test "a server that is not there, and a file that it does not have" {
	fetch --url http://127.0.0.1:9/file --sha256 "$hash"
	failed_with E_NETWORK "cannot download http://127.0.0.1:9/file"
	serve
	fetch --url "http://127.0.0.1:$port/none" --sha256 "$hash"
	failed_with E_NETWORK 404
	nothing
}

@test "what stands behind a question mark is not shown: it may be a token" {
	fetch --url 'http://127.0.0.1:9/file?token=s3cret' --sha256 "$hash"
	failed_with E_NETWORK
	[[ $output != *s3cret* ]]
}

@test "other protocols are refused" {
	fetch --url "gopher://127.0.0.1/file" --sha256 "$hash"
	failed_with E_NETWORK
	nothing
}

@test "without something to check against nothing is downloaded" {
	fetch --url "file://$dir/www/file"
	failed_with E_STEP_ARGUMENT
}

@test "a key has the fingerprint that is asked for, alone" {
	local one two
	make_key() {
		as_user gpg --homedir "$dir/gnupg" --batch --quiet --passphrase '' --quick-generate-key "$1 <$1@example.org>" rsa2048 sign never 2>/dev/null
		as_user gpg --homedir "$dir/gnupg" --batch --with-colons --list-keys "$1@example.org" 2>/dev/null | awk -F : '$1 == "fpr" { print $10; exit }'
	}
	as_user mkdir -m 700 "$dir/gnupg"
	one=$(make_key one)
	two=$(make_key two)
	as_user sh -c "gpg --homedir '$dir/gnupg' --batch --armor --export one@example.org >'$dir/www/one.asc'; gpg --homedir '$dir/gnupg' --batch --armor --export >'$dir/www/both.asc'" 2>/dev/null
	as_user gpgconf --homedir "$dir/gnupg" --kill all
	fetch --url "file://$dir/www/one.asc" --fingerprint "$one"
	((status == 0)) || { echo "$output" && false; }
	as_user rm -r "$dir/out"
	fetch --url "file://$dir/www/one.asc" --fingerprint "$two"
	failed_with E_SIGNATURE "holds the key $one, not $two"
	fetch --url "file://$dir/www/both.asc" --fingerprint "$one"
	failed_with E_SIGNATURE
	fetch --url "file://$dir/www/file" --fingerprint "$one"
	failed_with E_SIGNATURE "holds the key none"
	nothing
}
