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
