# shellcheck shell=bash
# What the bats files of this folder share.

# shellcheck disable=SC2034 # used by the tests
source_dir=$(dirname -- "$BATS_TEST_FILENAME")

setup_user() {
	bats_require_minimum_version 1.5.0
	user=()
	dir=$BATS_TEST_TMPDIR
	((EUID == 0)) || return 0
	# The steps have to work without privilege, so root takes the first user who has subordinate ids.
	local name
	name=$(cut -d : -f 1 /etc/subuid | grep -vxm 1 root) || skip "no user with subordinate ids in /etc/subuid"
	user=(setpriv --reuid="$name" --regid="$(id -g "$name")" --clear-groups -- env "HOME=$BATS_TEST_TMPDIR")
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	chmod 755 "$BATS_RUN_TMPDIR"/* 2>/dev/null || true
	chown -R "$name" "$BATS_TEST_TMPDIR"
}

# as_user COMMAND...: without privilege, whoever runs the tests.
as_user() { "${user[@]}" "$@"; }

# in_namespace COMMAND...: where the ids are those that a step sees.
in_namespace() { as_user bash "$(dirname -- "${BASH_SOURCE[0]}")/../lib/namespace.sh" "$@"; }

# identity TREE: everything that must survive, one entry a line.
# shellcheck disable=SC2016 # expands in the namespace
identity() {
	in_namespace bash -c 'cd "$1" && find . -printf "%y %m %U:%G %n %T@ %s %P -> %l\0" | sed -z "s/^d \(.*\) [0-9]* /d \1 - /" |
		sort -z | tr "\n\0" "?\n"
		find . -type f -print0 | sort -z | xargs -0 sha256sum
		getfattr -R -h -d -m - -e hex . 2>/dev/null' - "$1"
}

# step NAME ARGUMENT...: run a step of this folder; $output has stdout and stderr.
step() { run as_user bash "$source_dir/$1.sh" "${@:2}"; }

# failed_with CODE [TEXT]: the step failed as it should, with TEXT in its message.
failed_with() {
	((status == 1)) && [[ $output == *"error[$1]: "*"${2-}"* ]] && return
	printf 'expected %s %s, got status %s:\n%s\n' "$1" "${2-}" "$status" "$output" >&2
	return 1
}

# equal ACTUAL EXPECTED: or show the difference.
equal() { diff -u <(printf '%s\n' "$2") <(printf '%s\n' "$1"); }

# Files of other ids can only be removed from where they are ours.
remove_trees() { in_namespace find "$dir" -mindepth 1 -delete; }

# table LENGTH: $dir/table, with a partition cc-data of at least LENGTH bytes at 2 MiB, behind another one.
table() {
	local mebibytes=$((($1 + 1048575) / 1048576))
	local sectors=$((mebibytes * 2048)) guid=11111111-2222-4333-8444-555555555555
	as_user tee "$dir/table" >/dev/null <<-EOF
		label: gpt
		label-id: $guid
		first-lba: 2048
		last-lba: $((4096 + sectors + 2048 - 34))

		start=2048, size=2048, type=0fc63daf-8483-4772-8e79-3d69d8477de4, uuid=$guid, name="cc-first"
		start=4096, size=$sectors, type=0fc63daf-8483-4772-8e79-3d69d8477de4, uuid=${guid/1/2}, name="cc-data"
	EOF
}

# encrypted_disk DISK CONTENT: a qcow2 with CONTENT, encrypted with $dir/key, as cc-data; makes $dir/header. $sha256 is
# that of what lies on it.
encrypted_disk() {
	table "$(stat -c %s "$2")"
	step make-luks-header --content "$2" --header "$dir/header" --key-file "$dir/key" --uuid 11111111-2222-4333-8444-555555555555
	((status == 0)) || { echo "$output" && return 1; }
	step make-disk --output "$1" --table "$dir/table" --reserve "cc-data=$2"
	((status == 0)) || { echo "$output" && return 1; }
	step place-partition --disk "$1" --table "$dir/table" --name cc-data --content "$2" --header "$dir/header" --key-file "$dir/key"
	((status == 0)) || { echo "$output" && return 1; }
	sha256=${output##*$'\n'}
}
