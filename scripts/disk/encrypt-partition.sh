#!/usr/bin/env bash
# Encrypt a file, or a copy of one, as the data of a LUKS2 partition whose header is a file of its own.
#
# cryptsetup makes header and volume key, OpenSSL encrypts. cryptsetup's own reencrypt does the same on a copy, but waits
# for the disk at each step.
#
# Parameters:
#   [--from FILE]     what to encrypt a copy of; without it, what is at --data is encrypted
#   --data PATH       the encrypted data; its size is a multiple of 4096
#   --header PATH     the header to make
#   --key-file FILE   the key: at least 32 random bytes, readable by its owner only
#   --uuid TEXT       of the LUKS volume
# Runs in: namespace
# Network: no
# Output: the data encrypted, the header

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/luks.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/luks.sh"
step "$@"
need cryptsetup python3
check_key_file "$key_file"
from=${from:-$data}
[[ -f $from ]] || die E_STEP_ARGUMENT "--data: no such file: '$from'"
size=$(stat -c %s -- "$from")
((size > 0 && size % 4096 == 0)) || die E_STEP_ARGUMENT "$from: $size bytes is not a multiple of 4096"

# The volume key lies in memory that ends with the namespace.
mount -t tmpfs -o mode=0700 tmpfs /mnt
trap 'rm -f -- "$data.partial" "$header.partial"' EXIT
rm -f -- "$header.partial"
# The key derivation need not be slow: the key is random, not a pass phrase.
message=$(umask 077 && cryptsetup luksFormat --batch-mode --disable-locks --disable-keyring --type luks2 \
	--cipher aes-xts-plain64 --key-size 512 --sector-size 4096 --luks2-metadata-size 16k --luks2-keyslots-size 512k \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid "$uuid" --header "$header.partial" --key-file "$key_file" \
	"$from" 2>&1) || die E_STEP_FAILED "cryptsetup luksFormat: $message"
luks_volume_key "$header.partial" "$key_file" /mnt/volume-key

(umask 077 && : >"$data.partial")
message=$(python3 -B "$scripts_dir/lib/encrypt.py" "$from" "$data.partial" /mnt/volume-key 2>&1) || {
	[[ $message != *'No space left'* ]] ||
		die E_SPACE "no space left while encrypting $from" "free some space, or choose another --work-dir"
	die E_STEP_FAILED "$from cannot be encrypted: $message"
}
mv -- "$header.partial" "$header"
mv -- "$data.partial" "$data"
