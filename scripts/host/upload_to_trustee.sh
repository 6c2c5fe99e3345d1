#!/usr/bin/env bash
# Send the keys of this image, and the policy for their release, to a key broker (Trustee).
#
# Usage: upload.sh URL --ca FILE --admin-token FILE [options]
#
#   URL                       the key broker, https only
#   --ca FILE                 certificate of the authority that signed the broker's certificate
#   --admin-token FILE        the administrator's token; the file must be closed to others
#   --auth-private-key FILE   the administrator's key instead, before Trustee v0.21
#   --kbs-client FILE         the program kbs-client; by default the one in PATH
#   --record DIR              what was sent to this broker before; by default below ~/.local/state/cc-images/trustee.
#                             Administrators of one broker share it: it holds no secret
#   --present-policy FILE     the policy that the broker has, where the record does not know it
#   --replace-foreign-policy  replace a policy that is not known, or not one of these scripts
#   --replace-keys            replace keys of another build: images that need those do not start any more
#   --image DIR               the image directory; by default the one that this script is in
#
# The policy goes first, so that no key is ever under one that is not ours. Images that were sent before stay in the
# policy. Running it again changes nothing. Exit status: 0 done, 1 failed, 2 used wrongly or refused, 3 the host lacks
# something, 4 the image directory is damaged, 7 the broker releases a key to this machine, which has no evidence.

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/trustee.sh
. "$here/lib/trustee.sh"

# check_keys: every key is there, and none takes the place of another one.
check_keys() {
	local i size known hash
	declare -A own=()
	for i in "${!paths[@]}"; do
		if [[ ! -e ${files[i]} && ${made[i]} == upload ]]; then
			# For a partition that the guest formats. Made once, and kept: another key would not open what it has written.
			[[ -z $(known_key "${paths[i]}") ]] ||
				fail 2 "'${files[i]}' is missing, and the broker has that key at ${paths[i]}" "bring the file back; or make a new key, which opens no disk of before: --replace-keys after deleting the line from '$record/keys'"
			(umask 077 && mkdir -p -- "${files[i]%/*}" && head -c 32 /dev/urandom >"${files[i]}.partial" && mv -- "${files[i]}.partial" "${files[i]}")
			printf 'made the key of %s: %s\n' "${paths[i]}" "${files[i]}"
		fi
		must_be_private "${files[i]}"
		size=$(stat -L -c %s -- "${files[i]}")
		((size >= 32 && size <= 4096)) || fail 4 "'${files[i]}' has $size bytes; a key has 32 to 4096"
		hash=$(sha256 "${files[i]}") known=$(known_key "${paths[i]}")
		[[ ${own[${paths[i]}]-$hash} == "$hash" ]] || fail 4 "two images have different keys for ${paths[i]}" "build them in one run, or with paths of their own: kbs.resource"
		own[${paths[i]}]=$hash
		[[ -z $known || $known == "$hash" || -n $replace_keys ]] ||
			fail 2 "${paths[i]} holds the key of another build or image, which would not start any more" \
				"give this image a path of its own: kbs.resource; or replace that build: --replace-keys"
	done
}

# verify: this machine has no evidence, so the broker must refuse it.
verify() {
	local path answer
	if [[ -e /dev/sev-guest || -e /dev/tdx_guest ]]; then
		printf 'not verified: this machine is confidential itself; run cc-image-test trustee elsewhere\n'
		return
	fi
	for path in "${paths[@]}"; do
		! kbs get-resource --path "$path" || fail 7 "$url releases $path to this machine, which has no evidence" \
			"look for insecure_header_jwk, and for the policy in the storage of the broker; until then take its keys to be known"
		# Words of an address are not an answer, and a request that did not arrive has none.
		answer=$(printf '%s\n' "${said,,}" | sed 's#https\{0,1\}://[^ )]*##g')
		[[ ! $answer =~ 'error sending request'|'timed out'|'os error'|'dns error'|'no answer within'|'invalid peer certificate' &&
			$answer =~ unauthorized|denied|attest ]] || fail 1 "$url was not asked for $path: $said" "run this script again"
	done
	printf 'verified: the broker releases none of the keys to this machine, which has no evidence\n'
}

read_options "$@"
read_resources
for ((i = 0; i < ${#ids[@]}; i++)); do
	[[ ${resources["images/$i/measured"]-} == true ]] ||
		fail 2 "${ids[i]} has no expected measurement: the policy would release nothing" "build it with the firmware that it is launched with: launch.ovmf"
done
open_record
find_present
check_keys
{
	without_ours "$work/present"
	entries "$image/trustee/resource-policy.rego"
} >"$work/entries"
compose "$work/entries"
send_policy
printf 'sent the policy: %s images\n' "$(wc -l <"$work/entries")"
for i in "${!paths[@]}"; do
	kbs config set-resource --path "${paths[i]}" --resource-file "${files[i]}" || fail 1 "$url does not take the key of ${paths[i]}: $said" "run this script again"
	note_key "${paths[i]}" "$(sha256 "${files[i]}")"
	printf 'sent the key of %s\n' "${paths[i]}"
done
verify
mapfile -t sent < <(sent_paths)
for path in "${sent[@]}"; do
	is_needed "$path" ||
		printf 'no image of the policy needs the key of %s any more: revoke.sh deletes it\n' "$path"
done
