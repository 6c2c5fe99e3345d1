# shellcheck shell=bash
# The content of a file system that is made from a folder. Sourced after step.sh, for steps that run in the namespace.

# hide_folders CONTENT EPOCH PATH...: what becomes a partition of its own is hidden by an empty folder for as long as this
# namespace lives. PATH is absolute in the content; one that is not there is not made.
hide_folders() {
	local content=$1 epoch=$2 path empty
	shift 2
	for path in "$@"; do
		[[ -d $content$path ]] || continue
		mkdir -p /mnt/empty
		empty=$(mktemp -d /mnt/empty/XXXXXX)
		chmod --reference="$content$path" "$empty"
		chown --reference="$content$path" "$empty"
		mount --bind "$empty" "$content$path"
		touch --date "@$epoch" "$content$path"
	done
}
