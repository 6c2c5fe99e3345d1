# shellcheck shell=bash
# Who vouches for an image: the signatures of its manifest and of its provenance, by a public key that the user has from
# elsewhere. The manifest names every other file, and the content of every partition, by its hash.

# take_statements: copy manifest and provenance with their signatures to a folder of our own, as statements. What is verified
# there is what is read and installed: the folder of the image may belong to somebody who changes it meanwhile.
take_statements() {
	local file
	statements=$(mktemp -d)
	trap 'rm -rf -- "$statements"' EXIT
	for file in manifest.json manifest.json.sig provenance.json provenance.json.sig; do
		[[ ! -f $image/$file ]] || cp -- "$image/$file" "$statements/"
	done
}

# check_signatures: end where one is missing or not by the key in $public_key.
check_signatures() {
	local file subject
	[[ -f $public_key ]] || fail 2 "--require-signature: there is no file '$public_key'"
	for file in manifest.json provenance.json; do
		[[ -f $statements/$file ]] || fail 4 "$image/$file is missing" "take a whole copy of the image"
		[[ -f $statements/$file.sig ]] || fail 4 "$file is not signed" "ask the builder for an image with signing.key"
		verify_signature "$statements/$file"
	done
	# The provenance of another image is signed by the same key.
	subject=$(json "$statements/provenance.json" 2>/dev/null | sed -n 's|^subject/0/digest/sha256\t||p')
	[[ $subject == "$(sha256 "$statements/manifest.json")" ]] || fail 4 "provenance.json belongs to another image: the manifest that it names has the sha256 ${subject:-(none)}"
}

# verify_signature FILE
verify_signature() {
	local binary message
	if head -n 1 -- "$public_key" | grep -q '^untrusted comment: '; then
		command -v minisign >/dev/null || fail 3 "the key '$public_key' is one of minisign, which is not on this host" "sudo apt-get install --yes minisign"
		message=$(minisign -V -p "$public_key" -x "$1.sig" -m "$1" 2>&1) || fail 4 "${1##*/} is not signed by the key in $public_key: ${message##*$'\n'}" "$signature_hint"
		return 0
	fi
	command -v openssl >/dev/null || fail 3 "there is no openssl on this host" "sudo apt-get install --yes openssl"
	openssl pkey -pubin -in "$public_key" -noout 2>/dev/null || fail 2 "--require-signature: '$public_key' is no public key: neither PEM nor that of minisign"
	binary=$(mktemp)
	base64 -d "$1.sig" >"$binary" 2>/dev/null || : >"$binary"
	message=$(openssl dgst -sha256 -verify "$public_key" -signature "$binary" -- "$1" 2>&1) || {
		rm -f -- "$binary"
		fail 4 "${1##*/} is not signed by the key in $public_key" "$signature_hint"
	}
	rm -f -- "$binary"
}
signature_hint='it was altered, or somebody else has built it: take the image from its builder, and the key from elsewhere'
