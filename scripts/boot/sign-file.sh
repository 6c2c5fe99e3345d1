#!/usr/bin/env bash
# Sign a file with a private key of the builder.
#
# Parameters:
#   --tool NAME      openssl: ECDSA or RSA over SHA-256, base64 of the signature, as `cosign sign-blob` writes it; or minisign
#   --key FILE       the private key, without a passphrase
#   --file FILE      what is signed
#   --output PATH    the signature
# Runs in: host
# Network: no
# Output: the signature

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need "$tool"

trap 'rm -f -- "$output.partial" "$output.public"' EXIT
case $tool in
openssl)
	openssl pkey -in "$key" -passin pass: -pubout -out "$output.public" </dev/null 2>/dev/null ||
		die E_KEY "signing.key: '$key' is no private key that can be read without a passphrase" \
			"make one: (umask 077; openssl ecparam -name prime256v1 -genkey -noout -out FILE)"
	message=$(openssl dgst -sha256 -sign "$key" -out "$output.partial" -- "$file" 2>&1 </dev/null) ||
		die E_KEY "signing.key: openssl cannot sign with '$key': ${message:0:200}" "take an EC or RSA key"
	# A signature that the public key does not accept would be found by those who install the image.
	openssl dgst -sha256 -verify "$output.public" -signature "$output.partial" -- "$file" >/dev/null 2>&1 ||
		die E_STEP_FAILED "openssl does not accept its own signature of $file"
	base64 -w 0 "$output.partial" >"$output"
	;;
minisign)
	message=$(minisign -S -s "$key" -m "$file" -x "$output.partial" -c "signature of ${file##*/}" -t "${file##*/}" 2>&1 </dev/null) ||
		die E_KEY "signing.key: minisign cannot sign with '$key': ${message:0:200}" "make a key without a password: minisign -G -W"
	mv -- "$output.partial" "$output"
	;;
*) die E_STEP_ARGUMENT "--tool: '$tool' is not openssl or minisign" ;;
esac
