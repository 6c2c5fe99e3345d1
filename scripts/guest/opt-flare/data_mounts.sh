#!/bin/sh
# data_mounts.sh: the data disks that a site may have, found by the serial that the host gives them. A client has an
# input, a server an output; the disk of the other role is ignored and reported, and no other disk is looked at.
# Whether a disk is encrypted is decided by site.conf, never by what is on it.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh
# shellcheck source=../cc/lib/partition.sh
. "$R/usr/lib/cc/lib/partition.sh"

CONF="$R/run/cc/boot.conf"

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
	mount -t ext4 -o "$2" "$DEVICE" "$target" 2>"$R/run/cc/message" || fail "nvflare-$1: cannot be mounted at ${target#"$R"}"
}

# open_to_flare NAME: let FLARE write where site.conf says that NAME is: the group that reads the kit is its own.
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
			mount_disk input ro,noload,nosuid,nodev,noexec
		else
			# The disk takes the place of the partition, and of what closes a locked one.
			! mountpoint -q "$R$(site output)" || umount "$R$(site output)" || fail "nvflare-output: $(site output) is in use"
			mount_disk output rw,nosuid,nodev,noexec
			open_to_flare output
		fi
		remember "$mine" "disk-$state"
	fi
fi

remember log none
if [ "$(site logs)" = disk ]; then
	remember log absent
	if find_disk nvflare-log; then
		# The host reads it: it is never encrypted.
		partition=nvflare-log DEVICE=$disk FRESH=''
		! is_empty "$disk" || FRESH=1
		target="$R/mnt/data/nvflare/log"
		mkdir -p "$target"
		[ -z "$FRESH" ] || mkfs.ext4 -q -F -m 0 -E nodiscard "$DEVICE" >"$R/run/cc/message" 2>&1 ||
			fail "nvflare-log: no file system can be made"
		mount -t ext4 -o rw,nosuid,nodev,noexec "$DEVICE" "$target" 2>"$R/run/cc/message" ||
			fail "nvflare-log: cannot be mounted"
		remember log disk-plain
	fi
fi
