#!/usr/bin/env bats
# The layers that layer.py writes, merged by the real step, are the tree that they were made of.

# shellcheck disable=SC2016 # the quoted programs expand in the namespace
here=$BATS_TEST_DIRNAME
load ../../scripts/test/lib.bash

setup() { setup_user; }
teardown() { remove_trees; }

# listing TREE: everything but times, which the layers do not keep, with extended attributes and content.
listing() {
	(
		cd "$1" && find . -printf '%y %m %U:%G %n %p %l\0' | sort -z | tr '\0\n' '\n?'
		getfattr -Rhd -m - -e hex .
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

@test "the fixture of the stand-in ISO survives, through every kind of change an overlay has" {
	cat >"$dir/make.sh" <<-'EOF'
		set -Eeuo pipefail
		here=$1 dir=$2
		. "$here/fixture.sh"
		fixture_lower "$dir/lower/standin"
		mkdir -p "$dir/lower/etc"
		cp -a "$dir/lower" "$dir/upper"
		fixture_upper "$dir/upper/standin"
		"$here/layer.py" --tree "$dir/lower" --epoch 1000 | tar2sqfs --quiet "$dir/lower.squashfs"
		"$here/layer.py" --tree "$dir/upper" --lower "$dir/lower" --epoch 1000 >"$dir/upper.tar"
		tar2sqfs --quiet "$dir/upper.squashfs" <"$dir/upper.tar"
		bash "$here/../../scripts/source/unpack-layers.sh" --tree "$dir/tree" --layer "$dir/lower.squashfs" --layer "$dir/upper.squashfs"
	EOF
	in_namespace bash "$dir/make.sh" "$here" "$dir"
	export -f listing
	equal "$(in_namespace bash -c 'listing "$1"' - "$dir/tree")" "$(in_namespace bash -c 'listing "$1"' - "$dir/upper")"

	# As livecd-rootfs makes them: only what changed, with real whiteouts and opaque directories.
	python3 - "$dir/upper.tar" >"$dir/kinds" <<-'EOF'
		import sys, tarfile
		for entry in tarfile.open(sys.argv[1]):
		    opaque = entry.pax_headers.get('SCHILY.xattr.trusted.overlay.opaque')
		    if entry.ischr(): print('whiteout', entry.devmajor, entry.devminor, entry.name)
		    elif opaque: print('opaque', opaque, entry.name)
	EOF
	equal "$(sort "$dir/kinds")" "$(printf '%s\n' 'opaque y standin/file-to-dir' 'opaque y standin/link-to-dir' \
		'opaque y standin/replaced-dir' 'whiteout 0 0 standin/merged-dir/removed' 'whiteout 0 0 standin/removed name with space' \
		'whiteout 0 0 standin/removed-dir' 'whiteout 0 0 standin/removed-file')"
	run tar -tf "$dir/upper.tar"
	[[ $output != *merged-dir/kept* && $output != *etc* && $output != *link-target/file* ]]
}
