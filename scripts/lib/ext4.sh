# shellcheck shell=bash
# An ext4 file system becomes a tree, without mounting it. Sourced after step.sh and new-tree.sh.

# ext4_unpack FILE PIECES SHA256 VOLUME_KEY TREE NAME: make TREE of the file system in the PIECES of FILE, as
# unpack-ext4.py takes them: a file of JSON. SHA256 and VOLUME_KEY may be empty. NAME is for messages.
ext4_unpack() {
	local file=$1 pieces=$2 sha256=$3 volume_key=$4 tree=$5 name=$6
	local message status=0
	begin_tree "$tree"
	message=$(python3 -B "$scripts_dir/lib/unpack-ext4.py" "$file" "$tree.partial" "$sha256" "$volume_key" \
		2>&1 <"$pieces") || status=$?
	case $status in
	0) ;;
	3) altered "$name" ;;
	4) die E_IMAGE "the file system of $name cannot be read: ${message%%$'\n'*}" "take an unaltered copy of the image" ;;
	*)
		[[ $message != *'No space left'* ]] || die E_SPACE "no space left while unpacking $name to $tree" "free some space"
		die E_STEP_FAILED "$name cannot be unpacked: $message"
		;;
	esac
	end_tree "$tree"
}
