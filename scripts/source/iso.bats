#!/usr/bin/env bats
# check-iso, verify-sums and extract-iso on small ISOs.

load ../test/lib.bash

setup() {
	setup_user
	root=$dir/root
	iso="$dir/the iso's.iso"
	as_user mkdir -p "$root"/{.disk,casper,dists/noble/main,pool/main/a}
	printf 'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)' | put .disk/info
	printf -- '- id: "x"\n  path: a.squashfs\n' | put casper/install-sources.yaml
	printf 'layer' | put casper/a.squashfs
	printf 'kernel' | put casper/vmlinuz
	printf 'Origin: x\n' | put dists/noble/Release
	printf 'deb' | put pool/main/a/a.deb
	as_user ln -s noble "$root/dists/stable"
	as_user ln -s . "$root/ubuntu"
}
teardown() { remove_trees; }

put() { as_user tee "$root/$1" >/dev/null; }
make_iso() { as_user xorriso -as mkisofs -quiet -r -V 'Ubuntu-Server 24.04' -o "$iso" "$root" 2>/dev/null; }

@test "check-iso tells what the ISO says of itself" {
	make_iso
	run --separate-stderr as_user bash "$source_dir/check-iso.sh" --iso "$iso"
	((status == 0)) || { echo "$stderr" && false; }
	equal "$(jq -cS . <<<"$output")" "$(
		jq -cS . <<-'EOF'
			{"label": "Ubuntu-Server 24.04", "info": "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)",
			 "catalog": "- id: \"x\"\n  path: a.squashfs\n", "dists": ["noble"],
			 "files": {"a.squashfs": 5, "install-sources.yaml": 29, "vmlinuz": 6}}
		EOF
	)"
}

@test "check-iso refuses what is missing, truncated or something else" {
	step check-iso --iso "$dir/none.iso"
	failed_with E_ISO_MISSING "$dir/none.iso"
	step check-iso --iso "$root"
	failed_with E_ISO_MISSING "not a readable file"

	head -c 100000 /dev/zero | as_user tee "$dir/zero" >/dev/null
	step check-iso --iso "$dir/zero"
	failed_with E_ISO_KIND "(100000 bytes) is not an ISO 9660 image"
	printf x | as_user tee "$dir/short" >/dev/null
	step check-iso --iso "$dir/short"
	failed_with E_ISO_KIND "(1 bytes)"

	make_iso
	local size
	size=$(stat -c %s "$iso")
	as_user truncate -s -2048 "$iso"
	step check-iso --iso "$iso"
	failed_with E_ISO_TRUNCATED "$((size - 2048)) of $size bytes"
}

@test "check-iso refuses media that are no live server" {
	as_user rm "$root/casper/install-sources.yaml"
	make_iso
	step check-iso --iso "$iso"
	failed_with E_ISO_KIND "(Ubuntu-Server 24.04.1 LTS"
	as_user rm "$root/.disk/info"
	make_iso
	step check-iso --iso "$iso"
	failed_with E_ISO_KIND "no .disk/info"
	as_user rm -r "$root/casper" "$root/dists"
	make_iso
	step check-iso --iso "$iso"
	failed_with E_ISO_KIND "no .disk/info"
}

@test "extract-iso takes the named layers, the pool and the index, and no more" {
	printf 'other' | put casper/b.squashfs
	make_iso
	as_user mkdir -p "$dir/out.partial/old"
	step extract-iso --iso "$iso" --output "$dir/out" --layer a.squashfs
	((status == 0)) || { echo "$output" && false; }
	equal "$(cd "$dir/out" && find . ! -type d | sort)" "$(printf '%s\n' ./.disk/info ./casper/a.squashfs \
		./casper/install-sources.yaml ./dists/noble/Release ./dists/stable ./pool/main/a/a.deb)"
	[[ $(<"$dir/out/casper/a.squashfs") == layer && -w $dir/out/pool/main/a/a.deb && ! -e $dir/out.partial ]]
}

@test "extract-iso leaves nothing behind when a part is missing" {
	make_iso
	step extract-iso --iso "$iso" --output "$dir/out" --layer none.squashfs
	failed_with E_ISO_KIND "none.squashfs"
	step extract-iso --iso "$iso" --output "$dir/out" --layer ../a.squashfs
	failed_with E_ISO_KIND "'../a.squashfs' is not a file name"
	as_user rm -r "$root/pool"
	make_iso
	step extract-iso --iso "$iso" --output "$dir/out" --layer a.squashfs
	failed_with E_ISO_KIND "/pool"
	equal "$(ls "$dir")" $'root\nthe iso\'s.iso'
}

@test "extract-iso refuses links that lead out of the ISO" {
	as_user ln -s ../../../../etc "$root/pool/out"
	make_iso
	step extract-iso --iso "$iso" --output "$dir/out" --layer a.squashfs
	failed_with E_ISO_KIND "the link '/pool/out'"
	equal "$(ls "$dir")" $'root\nthe iso\'s.iso'
}

make_sums() {
	make_iso
	(cd "$dir" && sha256sum -b -- *.iso) | as_user tee "$dir/SHA256SUMS" >/dev/null
	as_user mkdir -m 700 "$dir/gpg"
	gpg_as_user --quick-generate-key "$1" ed25519 sign never
	gpg_as_user --detach-sign --armor --output "$dir/SHA256SUMS.gpg" "$dir/SHA256SUMS"
	gpg_as_user --output "$dir/keyring.gpg" --export
	gpg_as_user --output "$dir/keyring.asc" --armor --export
	as_user gpgconf --homedir "$dir/gpg" --kill gpg-agent
}
gpg_as_user() { as_user gpg --homedir "$dir/gpg" --batch --quiet --passphrase '' "$@" 2>/dev/null; }
verify() { step verify-sums --iso "$iso" "$@"; }

@test "verify-sums accepts the right sum, list and signature" {
	make_sums test
	local sum
	sum=$(sha256sum <"$iso")
	verify --sha256 "${sum%% *}"
	((status == 0))
	verify --sha256 "$(tr a-f A-F <<<"${sum%% *}")" --sums "$dir/SHA256SUMS"
	((status == 0))
	for keyring in gpg asc; do
		verify --sums "$dir/SHA256SUMS" --signature "$dir/SHA256SUMS.gpg" --keyring "$dir/keyring.$keyring"
		((status == 0)) && [[ $output == *'Good signature from "test"'* ]] || { echo "$output" && false; }
	done
}

@test "verify-sums refuses a wrong sum" {
	make_sums test
	verify --sha256 "$(printf '0%.0s' {1..64})"
	failed_with E_SHA256 "not 000000"
	verify --sha256 123
	failed_with E_SHA256 "'123' is not 64"
	printf x | as_user tee -a "$iso" >/dev/null
	verify --sums "$dir/SHA256SUMS" --signature "$dir/SHA256SUMS.gpg" --keyring "$dir/keyring.gpg"
	failed_with E_SHA256 "sha256 of '$iso'"
	printf '%064d *other.iso\n' 0 | as_user tee "$dir/SHA256SUMS" >/dev/null
	verify --sums "$dir/SHA256SUMS"
	failed_with E_SHA256 "no line for 'the iso's.iso'"
}

@test "verify-sums refuses a changed list, another key, and half of the arguments" {
	make_sums test
	as_user cp "$dir/keyring.gpg" "$dir/first.gpg"
	as_user rm -r "$dir"/gpg "$dir"/keyring.* "$dir/SHA256SUMS.gpg"
	as_user cp "$dir/SHA256SUMS" "$dir/changed"
	make_sums other
	verify --sums "$dir/SHA256SUMS" --signature "$dir/SHA256SUMS.gpg" --keyring "$dir/first.gpg"
	failed_with E_SIGNATURE first.gpg
	printf '\n' | as_user tee -a "$dir/changed" >/dev/null
	verify --sums "$dir/changed" --signature "$dir/SHA256SUMS.gpg" --keyring "$dir/keyring.gpg"
	failed_with E_SIGNATURE changed
	verify --sums "$dir/SHA256SUMS" --signature "$dir/SHA256SUMS.gpg"
	failed_with E_STEP_ARGUMENT "needs --keyring"
	verify --sha256 "$(printf '0%.0s' {1..64})" --signature "$dir/SHA256SUMS.gpg" --keyring "$dir/keyring.gpg"
	failed_with E_STEP_ARGUMENT "without --sums"
	verify
	failed_with E_STEP_ARGUMENT "nothing to check against"
}

@test "list-iso tells what the pool offers, and what the layers of a source have installed" {
	as_user mkdir -p "$root"/dists/noble/{main,restricted}/binary-amd64
	printf 'Package: zstd\nVersion: 1\n\nPackage: systemd\nProvides: libpam-x (= 1), systemd-y\n' | put dists/noble/main/binary-amd64/Packages
	printf 'Package: linux-modules-nvidia\n' | as_user gzip | put dists/noble/restricted/binary-amd64/Packages.gz
	printf 'adduser\t3\nlibc6:amd64\t2.39\nsnapd\t2\n' | put casper/a.manifest
	# The upper layer as diff -N -U 0 writes it: a package is removed, one is upgraded, one is new.
	printf -- '--- a\n+++ b\n@@ -1 +1 @@\n-snapd\t2\n-adduser\t3\n+adduser\t4\n+less\t1\n' | put casper/a.b.manifest
	make_iso
	step list-iso --iso "$iso" --suite noble --layer a.squashfs --layer a.b.squashfs
	((status == 0)) || { echo "$output" && false; }
	equal "$output" '{"pool": ["libpam-x", "linux-modules-nvidia", "systemd", "systemd-y", "zstd"], "installed": ["adduser", "less", "libc6"]}'
	step list-iso --iso "$iso" --suite noble --layer a.squashfs
	equal "$(jq -c .installed <<<"$output")" '["adduser","libc6","snapd"]'

	# One manifest that is missing: nobody knows what is installed.
	step list-iso --iso "$iso" --suite noble --layer a.squashfs --layer a.c.squashfs
	equal "$(jq -c .installed <<<"$output")" null
	step list-iso --iso "$iso" --suite jammy --layer a.squashfs
	failed_with E_ISO_KIND "dists/jammy"
}
