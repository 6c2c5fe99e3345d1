# shellcheck shell=bash
# The partition table of a qcow2 disk, without reading what is between its two copies. Sourced after step.sh and
# qcow2.sh.

# The part of a disk that holds a copy of the table, at either end: one cluster of a qcow2, with room for 504
# partitions.
gpt_bytes=65536

# gpt_view DISK SIZE: a raw disk of SIZE bytes with nothing but the two copies, as /proc/self/fd/$gpt_fd. It is sparse,
# and as it has no name it is gone with the script, however that ends. SIZE is the disk's.
gpt_view() {
	local raw
	raw=$(mktemp)
	exec {gpt_fd}<>"$raw"
	rm -- "$raw"
	gpt_view=/proc/self/fd/$gpt_fd
	truncate -s "$2" "$gpt_view" 2>/dev/null || die E_SIZE "the table of a disk of $2 bytes cannot be worked on in ${raw%/*}" \
		"set TMPDIR to a folder on a file system that can hold a sparse file of that size"
	gpt_copy "$(qcow2_window "$1" 0 "$gpt_bytes")" "$(gpt_window 0)"
	gpt_copy "$(qcow2_window "$1" $(($2 - gpt_bytes)) "$gpt_bytes")" "$(gpt_window $(($2 - gpt_bytes)))"
}

# gpt_window OFFSET: the copy of the table at OFFSET of the view.
gpt_window() {
	printf 'driver=raw,offset=%s,size=%s,file.driver=file,file.filename=%s' "$1" "$gpt_bytes" "$gpt_view"
}

# gpt_copy FROM TO: one copy of the table, in one write, on its way to the disk when this returns.
gpt_copy() {
	local message
	message=$(qemu-img convert -n -S 0 -t writeback --image-opts "$1" --target-image-opts "$2" 2>&1) && return 0
	qcow2_failed "$message"
}

# qcow2_failed MESSAGE: end with what qemu-img says is wrong with a disk.
qcow2_failed() {
	# shellcheck disable=SC2154 # a parameter of every step that sources this file
	case $1 in
	*'Failed to get '*' lock'*) die E_LOCKED "$disk is in use by a virtual machine or by another program" "stop it first" ;;
	*'No space left'*) die E_SPACE "no space left while changing $disk" "free some space" ;;
	*'Permission denied'* | *'Read-only file system'*) die E_IMAGE "$disk cannot be written: ${1#qemu-img: }" ;;
	*'not in qcow2 format'*) die E_IMAGE "$disk is not a qcow2" "name an image directory, or the qcow2 in it" ;;
	esac
	die E_IMAGE "$disk: ${1#qemu-img: }" "it may be damaged: qemu-img check '$disk'"
}

# gpt_grow NUMBER SECTORS: give a partition of the view another size. sfdisk also puts the second copy where it belongs
# whenever it writes.
gpt_grow() {
	local message
	message=$(sfdisk --no-reread --no-tell-kernel --quiet -N "$1" "$gpt_view" <<<"size=$2" 2>&1) ||
		die E_IMAGE "$disk: sfdisk: $message"
	# Its exit status is 0 also where it finds errors.
	message=$(sfdisk --verify "$gpt_view" 2>&1)
	[[ $message == *'No errors detected'* ]] || die E_IMAGE "$disk: sfdisk --verify: $message"
}
