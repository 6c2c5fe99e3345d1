# shellcheck shell=sh disable=SC2034 # STATE and FRESH are for the programs that source this file
# Finding and opening one partition. Sourced after console.sh and boot-conf.sh by mount-root and mount-partition;
# needs CONF, the path of boot.conf, HEADERS, the folder of the LUKS headers that came with the initrd, and the
# functions of verity.sh and in-place.sh.

# The features of every file system that the guest makes: the same as on the build host.
export MKE2FS_CONFIG="$R/usr/lib/cc/lib/mke2fs.conf"

# The parameters of every LUKS2 header that the guest makes. The key is random, so the key derivation is only a
# formality; that everything is fixed is what lets check-luks-header compare the whole header.
luks_format() {
	cryptsetup luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
		--hash sha256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k --luks2-keyslots-size 512k "$@"
}

# luks_format_partition ARGUMENT...: luks_format with what $partition's integrity adds. The tags of an authenticated
# device are not written now: that would write the whole disk. mount-partition writes what mkfs reads.
luks_format_partition() {
	[ "$(get integrity)" != hmac ] || set -- --integrity hmac-sha256 --integrity-no-wipe "$@"
	luks_format "$@" 2>"$R/run/cc/message" || fail "$partition: cannot be formatted"
}

# get NAME: the value of this partition's key NAME in boot.conf.
get() { conf_get "$CONF" "$partition.$1"; }

# find_partition NAME: print the device of the partition with that GPT name. The host chooses which disks are
# there, so a name that stands twice is refused rather than resolved by order.
find_partition() {
	_found=
	for _uevent in "$R"/sys/class/block/*/uevent; do
		_partname='' _devname=''
		while IFS='=' read -r _key _value; do
			case $_key in
			PARTNAME) _partname=$_value ;;
			DEVNAME) _devname=$_value ;;
			esac
		done <"$_uevent"
		[ "$_partname" = "$1" ] || continue
		[ -z "$_found" ] || return 2
		_found=$_devname
	done
	[ -n "$_found" ] && printf '%s\n' "$R/dev/$_found"
}

# wait_for_partition NAME: find_partition, giving the kernel 30 seconds to see the disks.
wait_for_partition() {
	_left=300
	while :; do
		find_partition "$1" && return 0
		[ $? -ne 2 ] || fail "$1: two partitions have this name"
		[ "$_left" -gt 0 ] || fail "$1: no partition has this name"
		_left=$((_left - 1))
		sleep 0.1
	done
}

# audit_release STATUS REASON: what the key broker decided about $partition.
audit_release() {
	_decided=refused
	case $1 in
	0) _decided=released ;;
	4) _decided=unreachable ;;
	esac
	audit key-release "\"partition\":\"$partition\",\"resource\":$(json_text "$(get kbs-resource)"),\"result\":\"$_decided\",\"reason\":$(json_text "$2")"
}

# fetch_key FILE: ask the partition's key source for its key. A key source is a program that is given the
# partition's name, writes the key and nothing else to standard output, explains itself on standard error, and
# exits 0; 3 means "there is no key", everything else is a failure. FILE is in memory and readable by root only.
# What mount-root has fetched for later, while there was a network, is taken instead; once.
fetch_key() {
	_source=$(get key)
	case $_source in
	'' | *[!a-z-]*) fail "$partition: '$_source' is not the name of a key source" ;;
	esac
	if [ -e "$R/run/cc/fetched/$partition" ]; then
		mv "$R/run/cc/fetched/$partition" "$1" || fail "$partition: its key cannot be taken"
		return 0
	fi
	_program="$R/usr/lib/cc/key-source/$_source"
	[ -x "$_program" ] || fail "$partition: there is no key source '$_source' in this image"
	(
		umask 077
		KEY_FILE=$(get key-file) BOOT_CONF=$CONF "$_program" "$partition" >"$1" 2>"$1.message"
	)
	_status=$?
	_message=
	read -r _message <"$1.message" || :
	rm -f "$1.message"
	[ "$_source" != kbs ] || audit_release "$_status" "$_message"
	case $_status in
	0) return 0 ;;
	3)
		rm -f "$1"
		return 3
		;;
	esac
	rm -f "$1"
	fail "$partition: no key from '$_source': ${_message:-exit status $_status}"
}

# is_empty DEVICE: whether its first MiB is all zero, as on a partition nobody has used yet.
is_empty() { [ -z "$(head -c 1048576 "$1" | tr -d '\0' | head -c 1)" ]; }

# open_on_disk_header DEVICE MAPPER KEY: a LUKS partition that the guest itself formatted at an earlier boot. Its
# header lies where the host can write, so one copy is taken into memory, checked there, and used from there:
# CVE-2025-59054, CVE-2025-58356.
open_on_disk_header() {
	_copy="$R/run/cc/header.$partition"
	rm -f "$_copy"
	cryptsetup luksHeaderBackup "$1" --header-backup-file "$_copy" 2>"$R/run/cc/message" ||
		fail "$partition: its LUKS header cannot be read"
	_reason=$("$R/usr/lib/cc/check-luks-header" "$_copy" "$(get integrity)") || fail "$partition: its LUKS header is refused: $_reason"
	cryptsetup open --type luks2 --header "$_copy" --key-file "$3" "$1" "$2" 2>"$R/run/cc/message" ||
		fail "$partition: the key does not open it"
	rm -f "$_copy"
}

# open_partition: unlock and verify $partition. Sets DEVICE to what holds the file system, FRESH to 1 where there
# is none yet, STATE to encrypted, plain or locked.
open_partition() {
	_disk=$(wait_for_partition "$partition") || exit 1
	_key="$R/run/cc/key.$partition"
	_mapper=$partition
	[ "$(get integrity)" != verity ] || _mapper=$partition-luks
	DEVICE=$_disk HASHES=$_disk FRESH='' STATE=plain
	case $(get encryption) in
	none) [ "$(get integrity)" = verity ] || ! is_empty "$_disk" || FRESH=1 ;;
	luks2)
		fetch_key "$_key" || fail "$partition: its key source has no key"
		unlock
		;;
	on-demand)
		if fetch_key "$_key"; then
			unlock
		elif [ "$(get plain-allowed)" = yes ]; then
			! is_empty "$_disk" || FRESH=1
		else
			STATE=locked
		fi
		;;
	*) fail "$partition: '$(get encryption)' is not an encryption" ;;
	esac
	rm -f "$_key"
	case $(get integrity) in
	none | hmac) ;;
	verity) verify ;;
	*) fail "$partition: '$(get integrity)' is not an integrity" ;;
	esac
}

# unlock: from _disk and _key to DEVICE. Where the header comes from is decided by boot.conf, never by the disk.
unlock() {
	STATE=encrypted
	DEVICE="$R/dev/mapper/$_mapper"
	case $(get header) in
	initrd)
		cryptsetup open --type luks2 --header "$HEADERS/$partition.luks" --key-file "$_key" "$_disk" "$_mapper" \
			2>"$R/run/cc/message" || fail "$partition: the key does not open it"
		HASHES=$DEVICE
		;;
	memory)
		luks_format_partition --header "$R/run/cc/header.$partition" --key-file "$_key" "$_disk"
		# Nothing of it outlives this boot, so it needs no journal against a loss of power.
		set --
		[ "$(get integrity)" != hmac ] || set -- --integrity-no-journal
		cryptsetup open --type luks2 --header "$R/run/cc/header.$partition" --key-file "$_key" "$@" "$_disk" "$_mapper" \
			2>"$R/run/cc/message" || fail "$partition: cannot be opened"
		rm -f "$R/run/cc/header.$partition"
		FRESH=1
		;;
	disk)
		if is_empty "$_disk"; then
			luks_format_partition --offset 2048 --key-file "$_key" "$_disk"
			FRESH=1
		fi
		open_on_disk_header "$_disk" "$_mapper" "$_key"
		;;
	none) open_in_place "$_disk" "$_mapper" "$_key" ;;
	*) fail "$partition: '$(get header)' is not a place for a header" ;;
	esac
}
