# shellcheck shell=bash
# A tree as a stream: everything that a root file system is made of survives the way there and back.

# archive_create FOLDER [TAR_OPTION]...: write its content to standard output.
archive_create() {
	local folder=$1
	shift
	tar -C "$folder" --numeric-owner --xattrs --xattrs-include='*' --acls --sort=name --one-file-system "$@" -cf - .
}

# archive_extract FOLDER: unpack standard input into it.
archive_extract() {
	tar -C "$1" --numeric-owner --xattrs --xattrs-include='*' --acls --same-permissions -xf -
}
