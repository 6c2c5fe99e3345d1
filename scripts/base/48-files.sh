#!/usr/bin/env bash
# Copy files of the host into a tree, owned by root.
#
# Parameters:
#   --tree DIR            the tree to change
#   [--file TEXT]...      MODE:GUEST_PATH:HOST_FILE, for example 0600:/etc/cc/keys/out.key:/home/me/out.key
# Runs in: namespace
# Network: no
# Output: the files; folders on the way to them are made, closed to others where the file is

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

for entry in "${file[@]}"; do
	# The last part is any path of the host: it may contain ":" or end with one.
	mode=${entry%%:*} source=${entry#*:}
	path=${source%%:*} source=${source#*:}
	[[ $path == /* && /$path/ != */../* ]] || die E_CONFIG "os.files: '$path' is not an absolute path in the guest"
	[[ -f $source ]] || die E_CONFIG "os.files: there is no file '$source'" "check the path"
	folder=$(dirname -- "$path")
	if [[ ! -d $tree$folder ]]; then
		((8#$mode & 8#044)) && open=0755 || open=0700
		chroot "$tree" install -d -m "$open" -- "$folder"
	fi
	# chroot: a link in the tree must not lead out of it.
	# shellcheck disable=SC2016 # expands in there
	chroot "$tree" sh -c 'umask 077 && cat >"$1" && chmod "$2" "$1"' - "$path" "$mode" <"$source"
done
