#!/usr/bin/env bash
# Encrypt a file, in place or as a copy, as the data of a LUKS2 partition whose header is a file of its own.
#
# Parameters:
#   [--from FILE]     what to encrypt a copy of; without it, what is at --data is encrypted
#   --data PATH       the encrypted data; its size is a multiple of 4096
#   --header PATH     the header to make
#   --key-file FILE   the key: at least 32 random bytes, readable by its owner only
#   --uuid TEXT       of the LUKS volume
# Runs in: host
# Network: no
# Output: the data encrypted, the header

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
step "$@"
need cryptsetup
check_key_file "$key_file"

if [[ -n $from ]]; then
	trap 'rm -f -- "$data.partial"' EXIT
	# On a file system that can share blocks this copies nothing.
	message=$(umask 077 && cp --reflink=auto --sparse=never -- "$from" "$data.partial" 2>&1) ||
		die E_SPACE "$from cannot be copied: $message" "free some space, or choose another --work-dir"
	file=$data.partial
else
	[[ -f $data ]] || die E_STEP_ARGUMENT "--data: no such file: '$data'"
	file=$data
fi

rm -f -- "$header"
# The key derivation need not be slow: the key is random, not a pass phrase.
luks_offline --encrypt --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 --resilience none \
	--luks2-metadata-size 16k --luks2-keyslots-size 512k --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--uuid "$uuid" --header "$header" --key-file "$key_file" "$file"
[[ $file == "$data" ]] || mv -- "$file" "$data"
