#!/usr/bin/env bats
# Layers made entry by entry, merged by the real step, compared with what overlayfs would show.

# shellcheck disable=SC2016,SC2034 # the quoted programs expand in the namespace; user is read by as_user
load ../test/lib.bash

setup() { setup_user; }
# What root has made is not the ordinary user's to remove.
teardown() {
	((EUID)) || rm -rf -- "$dir"/{root,user}-*
	remove_trees
}

# layer NAME: a squashfs of the entries on stdin, one a line: TYPE PATH MODE OWNER [VALUE] [XATTR=VALUE]...
# TYPE is dir, file, link (to VALUE), hard (another name of VALUE), or node (MAJOR:MINOR). PATH may have %-escapes.
layer() {
	as_user python3 -c '
import io, sys, tarfile, urllib.parse
tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8")
types = dict(dir=tarfile.DIRTYPE, file=tarfile.REGTYPE, link=tarfile.SYMTYPE, hard=tarfile.LNKTYPE, node=tarfile.CHRTYPE)
unescape = lambda text: urllib.parse.unquote(text, errors="surrogateescape")
for line in sys.stdin:
    kind, path, mode, owner, *values = line.split()
    item = tarfile.TarInfo(unescape(path))
    item.type, item.mode, item.mtime = types[kind], int(mode, 8), 1000
    item.uid, item.gid = map(int, owner.split(":"))
    for xattr in [value for value in values if "=" in value]:
        item.pax_headers["SCHILY.xattr." + xattr.split("=")[0]] = unescape(xattr.split("=")[1])
    value = next((value for value in values if "=" not in value), "")
    content = value.encode() if kind == "file" else b""
    item.size = len(content)
    if kind in ("link", "hard"): item.linkname = value
    if kind == "node": item.devmajor, item.devminor = map(int, value.split(":"))
    tar.addfile(item, io.BytesIO(content))
tar.close()' | as_user tar2sqfs --quiet "$dir/$1.squashfs"
}

# listing TREE: type, mode, owner, number of names, link target and content of every entry, by name.
listing() {
	in_namespace bash -c 'cd "$1" && find . -mindepth 1 -printf "%y %m %U:%G %n %P %l\0" | sort -z | tr "\n\0" "?\n" |
		sed "s/ $//"; find . -type f -print0 | sort -z | xargs -0 grep -Haz "" | tr "\n\0" "?\n"' - "$1"
}

unpack() {
	local name layers=()
	for name in "$@"; do layers+=(--layer "$dir/$name.squashfs"); done
	step unpack-layers --tree "$dir/tree" "${layers[@]}"
}

# real_overlay FORM SEED: layers of a real overlay mount with random changes; the step makes of them what the mount shows.
real_overlay() {
	local lab=$dir/$1-$2 maker=in_namespace
	[[ $1 == user ]] || maker='unshare --mount --'
	mkdir "$lab" && chmod 755 "$lab"
	[[ $1 == root ]] || ((EUID)) || chown --reference="$dir" "$lab"
	$maker python3 "$source_dir/../test/random-layers.py" make "$1" "$2" "$lab" || { echo "form $1, seed $2" && return 1; }
	step unpack-layers --tree "$dir/tree" --layer "$lab/1.squashfs" --layer "$lab/2.squashfs" --layer "$lab/3.squashfs"
	((status == 0)) || { echo "form $1, seed $2: $output" && return 1; }
	in_namespace python3 "$source_dir/../test/random-layers.py" list "$dir/tree" >"$dir/got"
	diff -u "$lab/shown" "$dir/got" || { echo "form $1, seed $2" && return 1; }
	(($(wc -l <"$dir/got") > 20)) || { echo "form $1, seed $2: hardly anything was compared" && return 1; }
	in_namespace rm -rf "$dir/tree"
}

# overlay_works OPTIONS COMMAND...: whether an overlay can be mounted here, by COMMAND.
overlay_works() {
	"${@:2}" bash -c 'cd "$(mktemp -d)" && mkdir l u w m && mount -t overlay -o "lowerdir=l,upperdir=u,workdir=w$1" o m' - "$1" 2>/dev/null
}

@test "two layers are merged as overlayfs shows them" {
	layer lower <<-'EOF'
		dir merged 755 0:0
		file merged/kept 644 0:0 lower
		file merged/changed 644 0:0 lower
		file merged/removed 644 0:0 lower
		dir removed 755 0:0
		dir removed/sub 755 0:0
		file removed/sub/file 644 0:0 lower
		dir replaced 755 0:0
		file replaced/old 644 0:0 lower
		dir replaced/sub 755 0:0
		file replaced/sub/old 644 0:0 lower
		link link-to-dir 777 0:0 merged
		dir dir-to-link 755 0:0
		file dir-to-link/file 644 0:0 lower
		dir dir-to-file 755 0:0
		file dir-to-file/file 644 0:0 lower
		file file-to-dir 644 0:0 lower
		file one-name 644 0:0 lower
		hard other-name 644 0:0 one-name
		dir untouched 750 3:4
	EOF
	layer upper <<-'EOF'
		dir merged 2775 0:5
		file merged/changed 600 0:0 upper
		node merged/removed 0 0:0 0:0
		file merged/added 4755 1000:1001 upper
		node removed 0 0:0 0:0
		dir replaced 700 0:0 trusted.overlay.opaque=y
		file replaced/new 644 0:0 upper
		dir replaced/sub 755 0:0
		dir link-to-dir 755 0:0 trusted.overlay.opaque=y
		file link-to-dir/file 644 0:0 upper
		link dir-to-link 777 0:0 merged
		file dir-to-file 644 0:0 upper
		dir file-to-dir 755 0:0
		file one-name 644 0:0 upper
		file pair-a 644 0:0 pair
		hard merged/pair-b 644 0:0 pair-a
		node never-there 0 0:0 0:0
	EOF
	unpack lower upper
	((status == 0)) || { echo "$output" && false; }
	equal "$(listing "$dir/tree")" "$(
		cat <<-'EOF'
			d 2775 0:5 2 merged
			d 700 0:0 3 replaced
			d 750 3:4 2 untouched
			d 755 0:0 2 file-to-dir
			d 755 0:0 2 link-to-dir
			d 755 0:0 2 replaced/sub
			f 4755 1000:1001 1 merged/added
			f 600 0:0 1 merged/changed
			f 644 0:0 1 dir-to-file
			f 644 0:0 1 link-to-dir/file
			f 644 0:0 1 merged/kept
			f 644 0:0 1 one-name
			f 644 0:0 1 other-name
			f 644 0:0 1 replaced/new
			f 644 0:0 2 merged/pair-b
			f 644 0:0 2 pair-a
			l 777 0:0 1 dir-to-link merged
			./dir-to-file:upper
			./link-to-dir/file:upper
			./merged/added:upper
			./merged/changed:upper
			./merged/kept:lower
			./merged/pair-b:pair
			./one-name:upper
			./other-name:lower
			./pair-a:pair
			./replaced/new:upper
		EOF
	)"
	[[ $(stat -c %Y "$dir/tree/merged/kept") == 1000 && $(stat -c %Y "$dir/tree/merged") == 1000 ]]
	[[ ! -e $dir/tree.partial ]]
}

@test "a third layer sees the other two" {
	layer a <<<'file x 644 0:0 a'
	layer b <<<'node x 0 0:0 0:0'
	layer c <<<'file x 644 0:0 c'
	unpack a b c
	equal "$(listing "$dir/tree")" $'f 644 0:0 1 x\n./x:c'
}

@test "an entry is the same in the lowest layer and in an upper one" {
	entries=$(
		cat <<-'EOF'
			dir etc 755 0:0
			file etc/shadow 640 0:42 secret
			file etc/su 4755 0:0 su
			hard etc/su-too 4755 0:0 etc/su
			link etc/link 777 0:0 ../x%20y
			file name%20with%20space 644 0:0 x security.capability=%01%00%00%02%00%20%00%00%00%00%00%00%00%00%00%00%00%00%00%00
			file name%0Anewline 644 7:8 x user.test=v
			file back%5Cslash 644 0:0 x
			file %C3%BC%E6%96%87 644 0:0 x
			file latin%E9 644 0:0 x
			dir sealed 555 9:9
			file sealed/file 0 9:9 x
		EOF
	)
	layer base <<<"$entries"
	layer empty </dev/null
	layer upper <<<"$entries"
	unpack base
	((status == 0))
	direct=$(listing "$dir/tree")
	direct_xattrs=$(in_namespace bash -c 'cd "$1" && getfattr -Rhd -m - -e hex .' - "$dir/tree")
	as_user mv "$dir/tree" "$dir/direct"
	unpack empty upper
	((status == 0))
	equal "$(listing "$dir/tree")" "$direct"
	equal "$(in_namespace bash -c 'cd "$1" && getfattr -Rhd -m - -e hex .' - "$dir/tree")" "$direct_xattrs"
	[[ $direct == *'f 644 7:8 1 name?newline'* && $direct == *'f 640 0:42 1 etc/shadow'* ]]
	[[ $direct_xattrs == *'security.capability=0x0100000200200000'* && $direct_xattrs == *'user.test=0x76'* ]]
	[[ -e $dir/tree/$'latin\xe9' && -e $dir/tree/'back\slash' ]]
}

@test "device nodes and trusted attributes are left out, in every layer" {
	layer lower <<-'EOF'
		dir dev 755 0:0
		node dev/null 666 0:0 1:3
		node dev/name%20space 666 0:0 1:5
		dir plain 755 0:0 trusted.overlay.opaque=y trusted.test=1 user.kept=1
		file plain/file 644 0:0 x
	EOF
	layer upper <<-'EOF'
		node zero 666 0:0 1:5
		dir plain 755 0:0 trusted.test=1 user.upper=1
	EOF
	unpack lower upper
	((status == 0)) || { echo "$output" && false; }
	equal "$(listing "$dir/tree")" $'d 755 0:0 2 dev\nd 755 0:0 2 plain\nf 644 0:0 1 plain/file\n./plain/file:x'
	# Seen from outside as root too, where trusted attributes would show.
	equal "$(cd "$dir/tree" && getfattr -d -m - plain)" $'# file: plain\nuser.upper="1"'
}

@test "as root the tree is the same" {
	((EUID == 0)) || skip "not root"
	layer lower <<<'dir a 750 5:6 trusted.test=1'
	layer upper <<-'EOF'
		file a/b 4711 60000:60001 x
		node a/null 666 0:0 1:3
	EOF
	user=()
	unpack lower upper
	equal "$(cd "$dir/tree" && find . -mindepth 1 -printf '%y %m %U:%G %P\n' | sort)" $'d 755 0:0 a\nf 4711 60000:60001 a/b'
	[[ -z $(getfattr -Rd -m - "$dir/tree") ]]
}

@test "a redirected directory is refused, and nothing is left" {
	layer lower <<<'dir a 755 0:0'
	layer upper <<<'dir b 755 0:0 trusted.overlay.redirect=a'
	unpack lower upper
	failed_with E_ISO_KIND "the entry './b' has the attribute trusted.overlay.redirect"
	equal "$(ls "$dir")" $'lower.squashfs\nupper.squashfs'
}

@test "a damaged layer is refused, and nothing is left" {
	layer lower <<<'file a 644 0:0 x'
	as_user truncate -s 60 "$dir/lower.squashfs"
	unpack lower
	failed_with E_ISO_KIND "lower.squashfs"
	equal "$(ls "$dir")" lower.squashfs
}

@test "a full disk is named as such, and nothing is left" {
	head -c 3000000 /dev/urandom | as_user tee "$dir/content" >/dev/null
	tar -C "$dir" -c content | as_user tar2sqfs --quiet "$dir/big.squashfs"
	as_user mkdir "$dir/small"
	# shellcheck disable=SC2016
	run in_namespace bash -c 'mount -t tmpfs -o size=1m tmpfs "$1/small"
		bash "$2/unpack-layers.sh" --tree "$1/small/tree" --layer "$1/big.squashfs" || { ls "$1/small" && exit 1; }' - "$dir" "$source_dir"
	failed_with E_SPACE small/tree
	[[ $output != *partial* ]]
}

@test "what a killed run has left is cleared away" {
	layer lower <<<'file a 644 0:0 x'
	as_user mkdir -p "$dir/tree.partial/tree/old"
	unpack lower
	equal "$(listing "$dir/tree")" $'f 644 0:0 1 a\n./a:x'
	[[ ! -e $dir/tree.partial ]]
}

@test "an existing tree is not touched" {
	layer lower <<<'file a 644 0:0 x'
	as_user mkdir "$dir/tree"
	unpack lower
	failed_with E_STEP_ARGUMENT "exists already"
	[[ -z $(ls "$dir/tree") ]]
}

@test "layers of a real overlay mount of root become what the mount shows" {
	((EUID == 0)) || skip "not root"
	overlay_works '' unshare --mount -- || skip "root cannot mount an overlay here"
	local seed
	for seed in 3 6 "$RANDOM"; do real_overlay root "$seed"; done
}

@test "layers of a real overlay mount of an ordinary user become what the mount shows" {
	overlay_works ,userxattr in_namespace || skip "an ordinary user cannot mount an overlay here"
	local seed
	for seed in 3 6 "$RANDOM"; do real_overlay user "$seed"; done
}

@test "whiteouts that share one inode are whiteouts all, and nodes may have any name" {
	layer lower <<-'EOF'
		file a 644 0:0 lower
		dir b 755 0:0
		file b/file 644 0:0 lower
		file hidden 644 0:0 lower
		file odd%0Aname 644 0:0 lower
		file back%5Cslash 644 0:0 lower
		file -dash 644 0:0 lower
		file ...%20dots 644 0:0 lower
		file %23hash 644 0:0 lower
		file end%20 644 0:0 lower
		file kept 644 0:0 lower
	EOF
	layer upper <<-'EOF'
		node a 0 0:0 0:0
		hard b 0 0:0 a
		hard odd%0Aname 0 0:0 a
		hard back%5Cslash 0 0:0 a
		hard -dash 0 0:0 a
		hard ...%20dots 0 0:0 a
		hard %23hash 0 0:0 a
		hard end%20 0 0:0 a
		hard nothing-below 0 0:0 a
		node hidden 644 0:0 1:3
		hard hidden-too 644 0:0 hidden
	EOF
	unpack lower upper
	((status == 0)) || { echo "$output" && false; }
	equal "$(listing "$dir/tree")" $'f 644 0:0 1 kept\n./kept:lower'
}

@test "opaque by x means whiteouts by attribute, and those count nowhere else" {
	layer lower <<-'EOF'
		dir a 755 0:0
		file a/kept 644 0:0 lower
		file a/gone 644 0:0 lower
		file a/full 644 0:0 lower
	EOF
	layer upper <<-'EOF'
		dir a 755 0:0 trusted.overlay.opaque=x
		file a/gone 644 0:0 trusted.overlay.whiteout=y
	EOF
	unpack lower upper
	equal "$(listing "$dir/tree")" $'d 755 0:0 2 a\nf 644 0:0 1 a/full\nf 644 0:0 1 a/kept\n./a/full:lower\n./a/kept:lower'
	in_namespace rm -rf "$dir/tree"
	layer upper2 <<-'EOF'
		dir a 755 0:0
		file a/gone 644 0:0 trusted.overlay.whiteout=y
	EOF
	unpack lower upper2
	failed_with E_ISO_KIND "'./a/gone' is marked as a whiteout where overlayfs allows none"
	[[ ! -e $dir/tree ]]
}

@test "user.overlay attributes count only if root's overlay made no layer; else they are data" {
	layer lower <<-'EOF'
		dir a 755 0:0
		file a/lower 644 0:0 lower
	EOF
	layer mine <<-'EOF'
		dir a 755 0:0 user.overlay.opaque=y user.overlay.overlay.opaque=y
		file a/upper 644 0:0 upper
	EOF
	unpack lower mine
	((status == 0)) || { echo "$output" && false; }
	[[ ! -e $dir/tree/a/lower && -e $dir/tree/a/upper ]]
	equal "$(in_namespace getfattr --absolute-names -d -m - "$dir/tree/a" | tail -n +2)" 'user.overlay.opaque="y"'
	in_namespace rm -rf "$dir/tree"

	layer roots <<-'EOF'
		dir a 755 0:0 user.overlay.opaque=y
		file a/upper 644 0:0 upper
		dir b 755 0:0 trusted.overlay.opaque=y
	EOF
	unpack lower roots
	((status == 0)) || { echo "$output" && false; }
	[[ -e $dir/tree/a/lower && -e $dir/tree/a/upper ]]
	equal "$(in_namespace getfattr --absolute-names -d -m - "$dir/tree/a" | tail -n +2)" 'user.overlay.opaque="y"'
}

@test "an entry whose content is elsewhere is refused by name" {
	layer lower <<<'file a 644 0:0 x'
	layer upper <<<'file name%0Aline 644 0:0 trusted.overlay.metacopy=y'
	unpack lower upper
	failed_with E_ISO_KIND "the entry './name\\nline' has the attribute trusted.overlay.metacopy"
	[[ ! -e $dir/tree && ! -e $dir/tree.partial ]]
}

@test "an owner that the namespace lacks is refused by name" {
	layer lower <<<'file a 644 900000:0 x'
	unpack lower
	failed_with E_ISO_KIND "the entry './a' cannot be given to 900000:0"
	[[ ! -e $dir/tree ]]
}

# hostile FROM TO: a layer with the name FROM changed to TO in its directory table. No tool writes such names.
hostile() {
	as_user rm -rf "$dir/in" "$dir/hostile.squashfs"
	as_user mkdir -p "$dir/in/aa" && as_user touch "$dir/in/aa/qq" "$dir/in/aa/rr"
	as_user mksquashfs "$dir/in" "$dir/hostile.squashfs" -noI -quiet -no-progress >/dev/null
	as_user python3 -c 'import sys
path, old, new = sys.argv[1:]
data = open(path, "rb").read()
assert data.count(old.encode()) == 1
open(path, "wb").write(data.replace(old.encode(), new.encode()))' "$dir/hostile.squashfs" "$1" "$2"
	unpack hostile
}

@test "a name that leads out of the tree, or is there twice, is refused" {
	hostile qq ..
	failed_with E_ISO_KIND "'./aa/..', which leads out of its directory"
	hostile qq /q
	failed_with E_ISO_KIND "'./aa//q', which leads out of its directory"
	hostile qq rr
	failed_with E_ISO_KIND "'./aa/rr' twice"
	equal "$(ls "$dir")" $'hostile.squashfs\nin'
	hostile qq qz
	((status == 0)) || { echo "$output" && false; }
}

@test "whatever is damaged in a layer's metadata, the reader says so or reads it" {
	local compression
	layer any <<-'EOF'
		dir a 755 0:0 user.x=1 trusted.overlay.opaque=y
		file a/b 644 3:4 x user.long=%00%01
		link a/l 777 0:0 b
		node n 0 0:0 0:0
		hard a/n 0 0:0 n
	EOF
	in_namespace unsquashfs -quiet -no-progress -dest "$dir/any" "$dir/any.squashfs" >/dev/null 2>&1 || true
	for compression in '-comp xz' '-comp zstd' '-comp lzo' '-comp lz4' '-comp gzip -noI -noX -noId'; do
		# shellcheck disable=SC2086 # flags
		in_namespace mksquashfs "$dir/any" "$dir/f.squashfs" -quiet -no-progress -noappend $compression >/dev/null
		python3 -B - "$source_dir/../lib" "$dir/f.squashfs" "$dir/damaged" <<-'EOF'
			import random, resource, sys
			sys.path.insert(0, sys.argv[1])
			from squashfs import Damaged, Squashfs
			resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
			good, refused = open(sys.argv[2], 'rb').read()[:4096], 0
			Squashfs(sys.argv[2])
			for seed in range(400):
			    chance, data = random.Random(seed), bytearray(good)
			    for _ in range(chance.randint(1, 3)):
			        data[chance.randrange(len(data) if seed % 2 else 96)] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
			    with open(sys.argv[3], 'wb') as file: file.write(data)
			    try: Squashfs(sys.argv[3])
			    except Damaged: refused += 1
			    except BaseException: print('seed', seed, sys.argv[2]); raise
			assert refused > 100, refused
		EOF
	done
}
