#!/bin/sh
# data_mounts.sh: the data disks that a site may have, found by the serial that the host gives them. A client has an
# input, a server an output; the disk of the other role is ignored and reported, and no other disk is looked at.
# Whether a disk is encrypted is decided by site.conf, never by what is on it.
#
# What lies on such a disk, the host may have written, and may write at any time. So no link of it is followed by anybody,
# and root touches nothing below its mount point: a link there would lead root's work, or what FLARE reads, elsewhere.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh
# shellcheck source=../cc/lib/partition.sh
. "$R/usr/lib/cc/lib/partition.sh"

CONF="$R/run/cc/boot.conf"
untrusted=nosuid,nodev,noexec,nosymfollow

# disk_of SERIAL: print the device with that serial; 1 where there is none, 2 where there are two.
disk_of() {
	_found=
	for _file in "$R"/sys/class/block/*/serial "$R"/sys/class/block/*/device/serial; do
		[ -r "$_file" ] || continue
		_serial=
		read -r _serial <"$_file" || :
		[ "$_serial" = "$1" ] || continue
		_device=${_file#"$R"/sys/class/block/}
		_device=${_device%%/*}
		[ "$_found" != "$_device" ] || continue
		[ -z "$_found" ] || return 2
		_found=$_device
	done
	[ -n "$_found" ] && printf '%s\n' "$R/dev/$_found"
}

# find_disk SERIAL: disk_of, where two of one name end the boot.
find_disk() {
	disk=$(disk_of "$1")
	[ $? -ne 2 ] || fail "$1: two disks have this serial"
	[ -n "$disk" ]
}

# open_disk NAME: set DEVICE to what holds the file system of $disk, and FRESH to 1 where there is none yet. With a key
# the disk has to be LUKS2, whose header is read once and compared with the only form allowed.
open_disk() {
	partition=nvflare-$1 DEVICE=$disk FRESH=''
	if [ "$(site "$1-key")" = yes ]; then
		key="$RO/keys/$1.key"
		[ -r "$key" ] || fail "$partition: there is no key file"
		if is_empty "$disk" && [ "$1" = output ]; then
			luks_format --offset 2048 --key-file "$key" "$disk" 2>"$R/run/cc/message" || fail "$partition: cannot be formatted"
			FRESH=1
		fi
		open_on_disk_header "$disk" "$partition" "$key"
		DEVICE="$R/dev/mapper/$partition"
	elif is_empty "$disk" && [ "$1" != input ]; then
		FRESH=1
	fi
}

# mount_disk NAME OPTIONS: mount $DEVICE where site.conf says.
mount_disk() {
	target="$R$(site "$1")"
	mkdir -p "$target" || fail "nvflare-$1: ${target#"$R"} cannot be made"
	if [ -n "$FRESH" ]; then
		mkfs.ext4 -q -F -m 0 -E nodiscard "$DEVICE" >"$R/run/cc/message" 2>&1 || fail "nvflare-$1: no file system can be made"
	fi
	mount -t ext4 -o "$2,$untrusted" "$DEVICE" "$target" 2>"$R/run/cc/message" ||
		fail "nvflare-$1: cannot be mounted at ${target#"$R"}"
	has_options "$target" "$2,$untrusted" || fail "nvflare-$1: it is not mounted with $2,$untrusted"
}

# has_options TARGET OPTIONS: whether the kernel says that these options are in force there.
has_options() {
	_found=
	while read -r _ _target _ _options _; do
		[ "$_target" != "$1" ] || _found=$_options
	done <"$R/proc/mounts"
	_left=$2,
	while [ -n "$_left" ]; do
		case $_found, in
		*"${_left%%,*}",*) ;;
		*)
			# ext4 shows this one under another name.
			[ "${_left%%,*}" = noload ] || return 1
			;;
		esac
		_left=${_left#*,}
	done
}

# open_to_flare NAME: let FLARE write where site.conf says that NAME is: the group that reads the kit is its own. The path
# ends at the mount point, which is no name of the file system that is mounted there.
open_to_flare() {
	target="$R$(site "$1")"
	{ chgrp "$(stat -c %g "$RO/kit")" "$target" && chmod 0770 "$target"; } ||
		fail "nvflare-$1: ${target#"$R"} cannot be given to FLARE"
}

role=$(site role)
case $role in
client) mine=input other=output ;;
server) mine=output other=input ;;
*) fail "data: '$role' is not a role" ;;
esac

remember "$other" none
if disk_of "nvflare-$other" >/dev/null || [ $? -eq 2 ]; then
	say "the disk nvflare-$other is ignored: it is not for a $role"
	remember "$other" ignored
fi

remember "$mine" none
if [ -n "$(site "$mine")" ]; then
	remember "$mine" absent
	if [ "$mine" = output ] && [ "$(conf_get "$CONF" cc-out.mount)" = "$(site output)" ]; then
		state=
		[ ! -r "$R/run/cc/state/cc-out" ] || read -r state <"$R/run/cc/state/cc-out"
		remember output "partition-${state:-absent}"
		case $state in
		encrypted | plain) open_to_flare output ;;
		esac
	fi
	if find_disk "nvflare-$mine"; then
		open_disk "$mine"
		state=plain
		[ "$DEVICE" = "$disk" ] || state=encrypted
		if [ "$mine" = input ]; then
			mount_disk input ro,noload
		else
			# The disk takes the place of the partition, and of what closes a locked one.
			! mountpoint -q "$R$(site output)" || umount "$R$(site output)" || fail "nvflare-output: $(site output) is in use"
			mount_disk output rw
			open_to_flare output
		fi
		remember "$mine" "disk-$state"
	fi
fi

remember log none
if [ "$(site logs)" = disk ]; then
	remember log absent
	if find_disk nvflare-log; then
		# The host reads it, so it is not encrypted; and it has no file system, which would be one that the host can write
		# while it is mounted. nvflare-log.service opens it by this name.
		ln -sfn "$disk" "$R/dev/nvflare-log" || fail "nvflare-log: it cannot be named"
		remember log disk-raw
	fi
fi
fulfilled data_mounts
