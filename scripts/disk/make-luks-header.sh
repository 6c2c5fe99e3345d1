#!/usr/bin/env bash
# Make the LUKS2 header of a partition, as a file of its own: the partition itself holds nothing but ciphertext.
# place-partition.sh encrypts with it.
#
# Parameters:
#   --content FILE    what is to be encrypted; its size is a multiple of 4096; it is not changed
#   --header PATH     the header to make
#   --key-file FILE   the key: at least 32 random bytes, readable by its owner only
#   --uuid TEXT       of the LUKS volume
# Runs in: namespace
# Network: no
# Output: the header

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
step "$@"
need cryptsetup
check_key_file "$key_file"
size=$(stat -c %s -- "$content")
((size > 0 && size % 4096 == 0)) || die E_STEP_ARGUMENT "$content: $size bytes is not a multiple of 4096"

trap 'rm -f -- "$header.partial"' EXIT
rm -f -- "$header.partial"
# The key derivation need not be slow: the key is random, not a pass phrase.
message=$(umask 077 && cryptsetup luksFormat --batch-mode --disable-locks --disable-keyring --type luks2 \
	--cipher aes-xts-plain64 --key-size 512 --sector-size 4096 --luks2-metadata-size 16k --luks2-keyslots-size 512k \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid "$uuid" --header "$header.partial" --key-file "$key_file" \
	"$content" 2>&1) || die E_STEP_FAILED "cryptsetup luksFormat: $message"
mv -- "$header.partial" "$header"
