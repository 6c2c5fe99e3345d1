#!/usr/bin/env bash
# Withdraw this image from a key broker (Trustee): its evidence opens nothing any more, and its keys are deleted there.
#
# Usage: revoke.sh URL --ca FILE --admin-token FILE [options]
#
#   URL                       the key broker, https only
#   --ca FILE                 certificate of the authority that signed the broker's certificate
#   --admin-token FILE        the administrator's token; the file must be closed to others
#   --auth-private-key FILE   the administrator's key instead, before Trustee v0.21
#   --kbs-client FILE         the program kbs-client; by default the one in PATH
#   --record DIR              what was sent to this broker before, as upload.sh has it
#   --present-policy FILE     the policy that the broker has, where the record does not know it
#   --image DIR               the image directory; by default the one that this script is in
#
# Other images stay in the policy, and a key that they need, too, stays where it is. A machine that runs goes on running:
# withdrawing is for the next start. Running it again changes nothing. Exit status: 0 done, 1 failed, 2 used wrongly or
# refused, 3 the host lacks something, 4 the image directory is damaged.

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/trustee.sh
. "$here/lib/trustee.sh"

read_options "$@"
[[ -z $replace_policy$replace_keys ]] || fail 2 "--replace-foreign-policy and --replace-keys are for upload.sh" "see --help"
read_resources
open_record
find_present
without_ours "$work/present" >"$work/entries"
compose "$work/entries"
send_policy
printf 'withdrawn: %s; images in the policy: %s\n' "${ids[*]}" "$(wc -l <"$work/entries")"
for path in "${paths[@]}"; do
	[[ -n $(known_key "$path") ]] || continue
	! is_needed "$path" || printf 'kept the key of %s: another image needs it\n' "$path"
done
# Those of builds before, too: a new build may have had another path.
mapfile -t sent < <(sent_paths)
for path in "${sent[@]}"; do is_needed "$path" || delete_key "$path"; done
