#!/usr/bin/env bash
# Put code of the application where NVIDIA FLARE looks for it, beside its own packages.
#
# Parameters:
#   --tree DIR      the tree to change
#   --source DIR    the folder with the code
#   --folder NAME   where it goes, an absolute path in the guest
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the folder in the tree: for everybody to read, for nobody to write

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

read_list0 odd find "$source" ! -type f ! -type d -print0
((${#odd[@]} == 0)) || die E_CONFIG "hardening.application: '${odd[0]}' is neither a file nor a folder, and means nothing in the guest" \
	"put the file itself in its place"
read_list0 found find "$source" -type f -print0
((${#found[@]} > 0)) || die E_CONFIG "hardening.application: there is no file in '$source'" "name the folder with the code"
# A secret of a development folder does not belong in an image.
secret=$(find "$source" \( -name .git -o -name .env -o -name 'id_rsa*' -o -name 'id_ed25519*' -o -name 'id_ecdsa*' \) -print -quit)
[[ -z $secret ]] || die E_CONFIG "hardening.application: '$secret' does not belong in an image" "name a folder with the code alone"

# shellcheck disable=SC2016 # expands in there
# In the tree, so that a link in it leads nowhere else.
tar --create --directory "$source" --no-xattrs --exclude __pycache__ --exclude '*.pyc' . |
	in_tree "$tree" sh -c 'mkdir -p "$1" && cd "$1" && tar --extract --no-same-owner --no-same-permissions' - "$folder"
# shellcheck disable=SC2016
in_tree "$tree" sh -c 'chown -R 0:0 "$1" && find "$1" -type d -exec chmod 755 {} + && find "$1" -type f -exec chmod 644 {} +' - "$folder"
in_tree "$tree" find "$folder" -exec touch --no-dereference --date "@$source_date_epoch" {} +
