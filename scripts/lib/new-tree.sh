# shellcheck shell=bash
# A tree that is unpacked appears whole or not at all. Sourced after step.sh.

# begin_tree TREE: make TREE.partial, to be filled; it goes when the step ends before end_tree.
begin_tree() {
	new_tree_parent=$(dirname -- "$1")
	new_tree_stamp=$(stat -c %.Y -- "$new_tree_parent")
	new_tree_partial=$1.partial
	trap 'rm -rf -- "$new_tree_partial"' EXIT
	rm -rf -- "$new_tree_partial"
	mkdir -- "$new_tree_partial"
}

# end_tree TREE: put it where it belongs. The folder that a partition is filled from stays in the root file system, empty.
# Its parent keeps its time stamp.
end_tree() {
	[[ ! -d $1 ]] || rmdir -- "$1" || die E_STEP_ARGUMENT "--tree: $1 is not empty"
	mv -- "$new_tree_partial" "$1"
	touch --date "@$new_tree_stamp" -- "$new_tree_parent"
}

# altered NAME: the content is not the one that the manifest names.
altered() {
	die E_IMAGE "$1 was altered after its manifest was written: it has another sha256" \
		"build the image again, or take an unaltered copy"
}
