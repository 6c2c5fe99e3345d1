# shellcheck shell=bash
# A squashfs file system becomes a tree, without mounting it. Sourced after step.sh and new-tree.sh.

# squashfs_unpack FILE PIECES SHA256 VOLUME_KEY TREE NAME: make TREE of the file system in the PIECES of FILE: a file of
# JSON, as window.py takes them. SHA256 and VOLUME_KEY may be empty. NAME is for messages.
squashfs_unpack() {
	local file=$1 pieces=$2 sha256=$3 volume_key=$4 tree=$5 name=$6
	local message status=0 plain plain_fd
	need unsquashfs
	begin_tree "$tree"
	# unsquashfs reads a file only. This one has no name, so that nothing is left of it however this ends.
	plain=$(mktemp -- "$tree.partial/.plain.XXXXXX")
	exec {plain_fd}<>"$plain"
	rm -- "$plain"
	message=$(python3 -B "$scripts_dir/lib/copy-window.py" "$file" "$sha256" "$volume_key" \
		2>&1 <"$pieces" >&"$plain_fd") || status=$?
	case $status in
	0) ;;
	3) altered "$name" ;;
	*) squashfs_failed "$name" "$tree" "$message" ;;
	esac
	message=$(unsquashfs -quiet -no-progress -force -dest "$tree.partial" "/proc/self/fd/$plain_fd" 2>&1) || {
		[[ $message != *[Ss]uperblock* && $message != *corrupt* && $message != *uncompress* ]] ||
			die E_IMAGE "the file system of $name cannot be read: ${message%%$'\n'*}" "take an unaltered copy of the image"
		squashfs_failed "$name" "$tree" "$message"
	}
	exec {plain_fd}>&-
	end_tree "$tree"
}

# squashfs_failed NAME TREE MESSAGE: unsquashfs does not always name the reason.
squashfs_failed() {
	if [[ $3 == *'No space left'* ]] || (($(df --output=avail -B 1 -- "$2.partial" | tail -n 1) < 65536)); then
		die E_SPACE "no space left while unpacking $1 to $2" "free some space"
	fi
	die E_STEP_FAILED "$1 cannot be unpacked: $3"
}
