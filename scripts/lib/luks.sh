# shellcheck shell=bash
# LUKS2 without device-mapper: cryptsetup re-encrypts files in user space. Sourced after step.sh.

# check_key_file FILE: a key that others can read is refused rather than used.
check_key_file() {
	local mode
	mode=$(stat -c %a -- "$1")
	[[ $mode == *00 ]] || die E_KEY "the key file $1 has mode $mode: others can read it" "chmod 600 $1"
	(($(stat -c %s -- "$1") >= 32)) || die E_KEY "the key file $1 has fewer than 32 bytes"
}

# luks_offline ARGUMENT...: cryptsetup reencrypt on files. Its lock directory and the kernel keyring belong to root.
luks_offline() {
	local message
	message=$(cryptsetup reencrypt --batch-mode --disable-locks --disable-keyring "$@" 2>&1) && return 0
	case $message in
	*'No key available'*) die E_KEY "the key does not open the image" "give the key that was made with it" ;;
	*'No space left'*) die E_SPACE "no space left while encrypting" "free some space, or choose another --work-dir" ;;
	esac
	die E_STEP_FAILED "cryptsetup reencrypt: $message"
}

# luks_volume_key HEADER KEY_FILE OUTPUT: the key that the data is encrypted with. What is not as make-luks-header.sh
# makes it is refused.
luks_volume_key() {
	local message metadata
	metadata=$(cryptsetup luksDump --dump-json-metadata "$1" 2>&1) ||
		die E_IMAGE "$1 is no LUKS2 header: $metadata" "take an unaltered copy of the image"
	python3 -c '
import json, sys
segments = json.load(sys.stdin)["segments"]
wanted = {"type": "crypt", "offset": "0", "size": "dynamic", "iv_tweak": "0", "encryption": "aes-xts-plain64", "sector_size": 4096}
sys.exit(segments != {"0": wanted})' <<<"$metadata" 2>/dev/null ||
		die E_IMAGE "the LUKS header $1 is not as this tool makes it" "take an unaltered copy of the image"
	rm -f -- "$3"
	message=$(umask 077 && cryptsetup luksDump --batch-mode --disable-locks --disable-keyring --dump-volume-key \
		--volume-key-file "$3" --key-file "$2" "$1" 2>&1 >/dev/null) && return 0
	[[ $message != *'No key available'* ]] || die E_KEY "the key does not open the image" "give the key that was made with it"
	die E_STEP_FAILED "cryptsetup luksDump: $message"
}

# luks_open_offline HEADER KEY_FILE: /mnt is memory that ends with the namespace, and /mnt/volume-key has the volume key.
luks_open_offline() {
	need cryptsetup python3
	[[ -n $2 ]] || die E_STEP_ARGUMENT "--key-file is required with --header"
	check_key_file "$2"
	mount -t tmpfs -o mode=0700 tmpfs /mnt
	luks_volume_key "$1" "$2" /mnt/volume-key
}

# luks_encrypt CONTENT TARGET: write CONTENT, encrypted with /mnt/volume-key, to the pieces of the file TARGET that /mnt/room
# lists. Prints the sha256 of what is written.
luks_encrypt() {
	python3 -B "$scripts_dir/lib/encrypt.py" "$1" "$2" /mnt/room /mnt/volume-key 2>/mnt/message ||
		write_failed encrypt.py "$(</mnt/message)" "$2"
}

# write_failed TOOL MESSAGE FILE: end the step, with the reason why FILE was not written.
write_failed() {
	[[ $2 != *'No space left'* ]] || die E_SPACE "no space left while writing $3" "free some space"
	die E_STEP_FAILED "$1: $2"
}
