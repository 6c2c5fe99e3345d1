# shellcheck shell=bash
# A part of a qcow2 disk as if it were a disk of its own, without nbd. Sourced after step.sh.

# qcow2_window DISK OFFSET LENGTH: the image options that qemu-img reads or writes through. Options are separated
# by commas, so a comma in a file name is doubled.
qcow2_window() {
	printf 'driver=raw,offset=%s,size=%s,file.driver=qcow2,file.file.driver=file,file.file.filename=%s' \
		"$2" "$3" "${1//,/,,}"
}
