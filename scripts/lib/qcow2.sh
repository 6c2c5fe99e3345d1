# shellcheck shell=bash
# A part of a qcow2 disk as if it were a disk of its own, without nbd. Sourced after step.sh.

# qcow2_window DISK OFFSET LENGTH: the image options that qemu-img reads or writes through. Options are separated
# by commas, so a comma in a file name is doubled.
qcow2_window() {
	printf 'driver=raw,offset=%s,size=%s,file.driver=qcow2,file.file.driver=file,file.file.filename=%s' \
		"$2" "$3" "${1//,/,,}"
}

# qcow2_pieces DISK OFFSET LENGTH [WORD]: where a part of the disk lies in the file, as JSON: [offset or null for zeros,
# length]. Fails where not all of it lies there as it is: compressed, encrypted, or in another file.
qcow2_pieces() {
	local info map
	info=$(qemu-img info -f qcow2 --output json "$1" 2>&1) ||
		die E_IMAGE "$1 cannot be read: ${info##*: }" "it may be damaged, or not be a qcow2"
	map=$(qemu-img map -f qcow2 --output json --start-offset "$2" --max-length "$3" "$1" 2>&1) || {
		[[ $map != *'backing file'* ]] || die E_IMAGE "$1 needs a file that is not there: ${map##*: Could not open }" \
			"keep the folder 'shared' beside the folders of the sites, or build the image again"
		die E_IMAGE "$1 cannot be read: ${map##*: }" "it may be damaged, or be in use by a virtual machine"
	}
	printf '%s\n%s\n' "$(tr -d '\n' <<<"$info")" "$(tr -d '\n' <<<"$map")" |
		python3 "$scripts_dir/lib/qcow2-pieces.py" "$2" "$3" "${@:4}"
}

# qcow2_room DISK OFFSET LENGTH: the same of what was set aside and not yet written. Fails where not all of it was.
qcow2_room() { qcow2_pieces "$@" room; }

# qcow2_content DISK OFFSET LENGTH PIECES FOLDER: set qcow2_file to the file in which a part of the disk can be read, and
# write to PIECES where: the disk itself, or a copy in FOLDER where it does not lie there as it is, compressed or on top
# of another file. The copy has no name, so that nothing is left of it however this ends.
qcow2_content() {
	local copy copy_fd
	qcow2_file=$1
	! qcow2_pieces "$1" "$2" "$3" >"$4" || return 0
	if qcow2_pieces "$1" "$2" "$3" shared >"$4"; then
		qcow2_file=$(qemu-img info -f qcow2 --output json "$1" |
			python3 -c 'import json, sys; print(json.load(sys.stdin)["full-backing-filename"])')
		return 0
	fi
	copy=$(mktemp -- "$5/.content.XXXXXX")
	exec {copy_fd}<>"$copy"
	rm -- "$copy"
	qcow2_file=/proc/self/fd/$copy_fd
	qcow2_read "$1" "$2" "$3" "$qcow2_file"
	printf '[[0, %s]]\n' "$3" >"$4"
}

# qcow2_read DISK OFFSET LENGTH OUTPUT: copy a part of the disk into a file of its own.
qcow2_read() {
	local message
	message=$(qemu-img convert -O raw --image-opts "$(qcow2_window "$1" "$2" "$3")" "$4" 2>&1) && return 0
	[[ $message != *'No space left'* ]] || die E_SPACE "no space left while reading $1" "free some space"
	die E_IMAGE "$1 cannot be read: $message" "it may be damaged, or not be a qcow2"
}
