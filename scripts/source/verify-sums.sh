#!/usr/bin/env bash
# Check a downloaded ISO against a sha256, or against SHA256SUMS and its signature.
#
# Parameters:
#   --iso FILE               the ISO file
#   [--sha256 TEXT]          the sha256 it must have, 64 hexadecimal digits
#   [--sums FILE]            SHA256SUMS that lists the ISO under its file name
#   [--signature FILE]       detached signature of SHA256SUMS; needs --keyring
#   [--keyring FILE]         keys to trust, binary or armoured
# Runs in: host
# Network: no
# Output: none; success means that all that was given is right

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

# shellcheck disable=SC2154 # parameters
main() {
	[[ -n $sha256$sums ]] || die E_STEP_ARGUMENT "nothing to check against" "give --sha256 or --sums"
	[[ -z $sha256 || $sha256 =~ ^[0-9A-Fa-f]{64}$ ]] || die E_SHA256 "'$sha256' is not 64 hexadecimal digits"
	[[ -z $signature || -n $sums ]] || die E_STEP_ARGUMENT "--signature is of no use without --sums"
	if [[ -n $signature ]]; then
		[[ -n $keyring ]] || die E_STEP_ARGUMENT "--signature needs --keyring" "give the keys that you trust: source.keyring"
		verify_signature
	fi

	# The signature comes first: an unsigned list is not worth reading gigabytes for.
	local listed='' actual
	if [[ -n $sums ]]; then
		listed=$(awk -v name="${iso##*/}" 'substr($0, 65, 2) ~ /^ [ *]$/ && substr($0, 67) == name { print $1; exit }' "$sums")
		[[ -n $listed ]] || die E_SHA256 "'$sums' has no line for '${iso##*/}'" "do not rename the ISO after downloading it"
	fi
	actual=$(sha256sum <"$iso")
	actual=${actual%% *}
	local expected
	for expected in ${sha256,,} ${listed,,}; do
		[[ $actual == "$expected" ]] || die E_SHA256 "sha256 of '$iso' is $actual, not $expected" "download it again"
	done
	log "sha256 $actual is right"
}

verify_signature() {
	need gpgv base64
	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the value of now
	trap "rm -rf -- ${work@Q}" EXIT
	if grep -qam 1 '^-----BEGIN PGP PUBLIC KEY BLOCK' "$keyring"; then
		sed -n '/^-----BEGIN/,/^-----END/{/^$/,/^[=-]/{/^[=-]/!p}}' "$keyring" | base64 -d >"$work/keyring"
	else
		cp -- "$keyring" "$work/keyring"
	fi
	gpgv --homedir "$work" --keyring "$work/keyring" -- "$signature" "$sums" 2>"$work/log" || {
		cat "$work/log" >&2
		die E_SIGNATURE "'$signature' is no good signature of '$sums' by a key in '$keyring'" \
			"download both files again, and check the keyring"
	}
	log "$(grep 'Good signature' "$work/log")"
}

main
