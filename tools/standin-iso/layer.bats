#!/usr/bin/env bats
# The layers that layer.py writes, merged by the real step, are the tree that they were made of.

# shellcheck disable=SC2016 # the quoted programs expand in the namespace
here=$BATS_TEST_DIRNAME
load ../../scripts/test/lib.bash

setup() { setup_user; }
# What root has made is not the ordinary user's to remove.
teardown() {
	((EUID)) || rm -rf -- "${dir:?}"/{real,work,upper,lower}
	remove_trees
}

# listing TREE: everything but times, which the layers do not keep, with extended attributes and content.
listing() {
	(
		cd "$1" && find . -printf '%y %m %U:%G %n %p %l\0' | sort -z | tr '\0\n' '\n?'
		getfattr -Rhd -m - -e hex .
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

# What overlayfs is told, or tells itself, by each entry of a layer. An origin is a file
# handle, which differs.
marks() {
	python3 -B - "$here/../../scripts/lib" "$1" <<-'EOF'
		import stat, sys
		sys.path.insert(0, sys.argv[1])
		from squashfs import Squashfs
		def walk(path, entry):
		    own = []
		    for name, value in sorted(entry.xattrs.items()):
		        name = name.removeprefix(b'trusted.').removeprefix(b'user.')
		        if name.startswith(b'overlay.') and name != b'overlay.uuid':
		            own.append((name, b'' if name == b'overlay.origin' else value))
		    node = ''
		    if stat.S_ISCHR(entry.mode):
		        whiteouts.append(entry.inode)
		        node = f'whiteout of inode {whiteouts.index(entry.inode)}'
		    lines.append(f'{path} {entry.mode:o} {entry.uid}:{entry.gid} {entry.size} {entry.rdev} {node} {own}')
		    for name, child in sorted((entry.children or {}).items()): walk(path + b'/' + name, child)
		whiteouts, lines = [], []
		walk(b'.', Squashfs(sys.argv[2]).root)
		print('\n'.join(lines))
	EOF
}

# real_layer OPTIONS: the fixture's upper layer by a mounted overlay, as real.squashfs, and by the stream, as made.squashfs.
real_layer() {
	cat >"$dir/real.sh" <<-'EOF'
		set -Eeuo pipefail
		here=$1 dir=$2
		. "$here/fixture.sh"
		cd "$dir"
		mkdir lower/etc lower/standin real work mounted -p
		fixture_lower lower/standin
		cp -a lower upper
		fixture_upper upper/standin
		mount -t overlay -o "lowerdir=lower,upperdir=real,workdir=work$3" overlay mounted || exit 100
		"$here/layer.py" --tree upper --lower lower --epoch 1000 --onto mounted
		umount mounted
		mksquashfs real real.squashfs -quiet -no-progress -xattrs >/dev/null
		"$here/layer.py" --tree real --epoch 1000 | tar2sqfs --quiet streamed.squashfs
		"$here/layer.py" --tree upper --lower lower --epoch 1000 | tar2sqfs --quiet made.squashfs
	EOF
	run "${@:2}" bash "$dir/real.sh" "$here" "$dir" "$1"
	((status != 100)) || skip "no overlay can be mounted here"
	((status == 0)) || { echo "$output" && false; }
	equal "$(marks "$dir/made.squashfs")" "$(marks "$dir/real.squashfs")"
	equal "$(marks "$dir/streamed.squashfs")" "$(marks "$dir/real.squashfs")"
	run marks "$dir/real.squashfs"
	local mark
	for mark in overlay.impure overlay.opaque overlay.origin 'removed-file'\'' 20000 0:0 0 0 whiteout of inode 0'; do
		[[ $output == *"$mark"* ]] || { echo "no $mark: $output" && false; }
	done
	[[ $output != *'of inode 1'* ]]
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
		    elif entry.islnk() and 'removed' in entry.name: print('the same', entry.linkname, entry.name)
		    elif opaque: print('opaque', opaque, entry.name)
	EOF
	equal "$(sort "$dir/kinds")" "$(printf '%s\n' 'opaque y standin/file-to-dir' 'opaque y standin/link-to-dir' \
		'opaque y standin/replaced-dir' 'the same standin/merged-dir/removed standin/removed name with space' \
		'the same standin/merged-dir/removed standin/removed-dir' 'the same standin/merged-dir/removed standin/removed-file' \
		'whiteout 0 0 standin/merged-dir/removed')"
	run tar -tf "$dir/upper.tar"
	[[ $output != *merged-dir/kept* && $output != *etc* && $output != *link-target/file* ]]
}

@test "without privilege the entries are those of an overlay of root" {
	((EUID == 0)) || skip "not root"
	real_layer '' unshare --mount --
}

@test "without privilege the entries are those of an overlay of an ordinary user" {
	real_layer ,userxattr in_namespace
}
