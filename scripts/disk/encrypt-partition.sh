#!/usr/bin/env bash
# Encrypt a file in place as the data of a LUKS2 partition whose header is a file of its own.
#
# Parameters:
#   --data FILE       what to encrypt; its size is a multiple of 4096
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

rm -f -- "$header"
# The key derivation need not be slow: the key is random, not a pass phrase.
luks_offline --encrypt --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 --resilience none \
	--luks2-metadata-size 16k --luks2-keyslots-size 512k --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--uuid "$uuid" --header "$header" --key-file "$key_file" "$data"
