#!/usr/bin/env bash
# Download a file that is checked against its sha256, or a public key that is checked against its fingerprint.
#
# Parameters:
#   --url TEXT            http, https or file
#   [--sha256 TEXT]       64 hexadecimal digits
#   [--fingerprint TEXT]  40 hexadecimal digits: the file is one OpenPGP key, and has it
#   --output PATH         the file
# Runs in: host
# Network: yes
# Output: the file; nothing where it cannot be had or is another

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need curl sha256sum

[[ -n $sha256$fingerprint ]] || die E_STEP_ARGUMENT "neither --sha256 nor --fingerprint: there is nothing to check $url against"
mkdir -p -- "$(dirname -- "$output")"
partial=$output.partial
trap 'rm -rf -- "$partial" "$partial.home"' EXIT
# A file, so that no credential in an address is seen among the processes.
message=$(printf 'url = "%s"\n' "${url//[\"\\]/}" |
	curl --config - --fail --location --silent --show-error --proto '=http,https,file' --proto-redir '=http,https' \
		--connect-timeout 20 --speed-limit 1000 --speed-time 60 --retry 2 --output "$partial" 2>&1) || {
	[[ $message != *'(23)'* && $message != *'No space left'* ]] || die E_SPACE "no space for $output" "free some space"
	die E_NETWORK "cannot download ${url%%\?*}: ${message##*curl: }" "check the address and the network"
}
if [[ -n $sha256 ]]; then
	found=$(sha256sum -- "$partial" | cut -d ' ' -f 1)
	[[ $found == "$sha256" ]] || die E_SHA256 "sha256 of ${url%%\?*} is $found, not $sha256" "correct the sha256, or distrust the source"
fi
if [[ -n $fingerprint ]]; then
	need gpg
	mkdir -m 700 -- "$partial.home"
	listed=$(gpg --homedir "$partial.home" --batch --with-colons --show-keys -- "$partial" 2>/dev/null) || true
	mapfile -t keys < <(awk -F : '$1 == "pub" { want = 1 } $1 == "fpr" && want { print $10; want = 0 }' <<<"$listed")
	[[ ${#keys[@]} == 1 && ${keys[0]} == "$fingerprint" ]] ||
		die E_SIGNATURE "${url%%\?*} holds the key ${keys[*]:-none}, not $fingerprint" "correct the fingerprint, or distrust the source"
fi
mv -- "$partial" "$output"
