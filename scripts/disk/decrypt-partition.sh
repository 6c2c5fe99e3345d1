#!/usr/bin/env bash
# Decrypt a copy of a partition in place, with cryptsetup: the inverse of place-partition.sh.
#
# Parameters:
#   --data FILE       what to decrypt: the whole encrypted part of a partition
#   --header FILE     its header; not changed
#   --key-file FILE   the key
# Runs in: host
# Network: no
# Output: the data decrypted

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
step "$@"
need cryptsetup
check_key_file "$key_file"

# cryptsetup writes its progress into the header.
scratch=$(mktemp -- "$data.header.XXXXXX")
trap 'rm -f -- "$scratch"' EXIT
cat -- "$header" >"$scratch"
luks_offline --decrypt --force-offline-reencrypt --header "$scratch" --key-file "$key_file" "$data"
