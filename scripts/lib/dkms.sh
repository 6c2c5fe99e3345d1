# shellcheck shell=bash
# Kernel modules from source, for the kernel of a tree. The compiler and the headers are installed into a copy-on-write
# view of the tree, so that nothing of them is ever in the tree. Sourced after step.sh, tree.sh, apt.sh and packages.sh.

# kernel_of TREE: the release of the newest kernel in it, as 60-initramfs takes it.
kernel_of() {
	find "$1/boot" -maxdepth 1 -name 'vmlinuz-*' -type f -printf '%f\n' | sed 's/^vmlinuz-//' | sort -V | tail -n 1
}

# overlay_path TEXT: as a value of a mount option of overlayfs.
overlay_path() {
	local text=${1//\\/\\\\}
	text=${text//:/\\:}
	printf '%s' "${text//,/\\,}"
}

# view_begin WORK: $view shows the tree, and what is changed in it goes to WORK. Kernels before 5.11 have no overlayfs
# for ordinary users: they get a copy, on a mount of its own, so that what is mounted in it goes with it as well.
view_begin() {
	local layers
	rm -rf -- "$1"
	mkdir -p -- "$1/upper" "$1/work" "$1/view"
	view=$1/view
	layers="lowerdir=$(overlay_path "$tree"),upperdir=$(overlay_path "$1/upper"),workdir=$(overlay_path "$1/work")"
	mount -t overlay -o "$layers,userxattr" overlay "$view" 2>/dev/null ||
		mount -t overlay -o "$layers" overlay "$view" 2>/dev/null ||
		{ mount --bind "$view" "$view" && cp -a --one-file-system --reflink=auto -- "$tree/." "$view/"; }
}

# view_end WORK: nothing of it is left. The view goes with all that is mounted in it at once: one by one would fail at
# what lies below /sys, which this namespace has from another one.
view_end() {
	! mountpoint -q "$1/view" 2>/dev/null || umount -l "$1/view"
	rm -rf --one-file-system -- "$1"
}

# build_modules WORK KERNEL OUTPUT CHANGE PACKAGE...: install packages into the view, let the function CHANGE alter it
# there, and build every DKMS tree that is then below /usr/src and named in the array dkms_trees (all where it is empty).
# The modules come to OUTPUT, uncompressed, under the names that the kernel knows them by.
build_modules() {
	local work=$1 kernel=$2 output=$3 change=$4 outer=$tree source file built=()
	shift 4
	view_begin "$work"
	# From here on the functions of packages.sh work on the view.
	local tree=$view
	packages_begin
	cp -a "$outer$packages_run"/{lists,trusted,keys,preferences.d,sources.d,sources.list} "$tree$packages_run/"
	if [[ -d $outer$packages_run/local ]]; then cp -a "$outer$packages_run/local" "$tree$packages_run/"; fi
	mkdir -p "$tree/etc/dkms/framework.conf.d"
	# We say when, and we sign.
	: >"$tree/etc/dkms/no-autoinstall"
	printf 'sign_file=/bin/true\n' >"$tree/etc/dkms/framework.conf.d/cc.conf"
	log "installing what builds kernel modules, beside the tree"
	apt_tree install -- "$@"
	# dkms without framework.conf.d reads only this file.
	printf 'sign_file=/bin/true\n' >>"$tree/etc/dkms/framework.conf"
	"$change"
	mkdir -p "$output"
	for source in "$tree"/usr/src/*/dkms.conf; do
		[[ -f $source ]] || continue
		source=${source%/dkms.conf}
		[[ ${#dkms_trees[@]} == 0 || " ${dkms_trees[*]} " == *" ${source##*/} "* ]] || continue
		dkms_build "${source##*/}"
		read_list built find "$tree/var/lib/dkms" -path "*/$kernel/*/module/*" -name '*.ko*' -type f
		for file in "${built[@]}"; do take_module "$file" "$output"; done
		rm -rf "$tree/var/lib/dkms"
	done
}

# dkms_build FOLDER: one tree of /usr/src in the view, without network. dkms names it by the two words of its dkms.conf.
dkms_build() {
	local conf=$tree/usr/src/$1/dkms.conf name version make_log
	name=$(sed -n 's/^PACKAGE_NAME=["'\'']\{0,1\}\([^"'\'' ]*\).*/\1/p' "$conf" | tail -n 1)
	version=$(sed -n 's/^PACKAGE_VERSION=["'\'']\{0,1\}\([^"'\'' ]*\).*/\1/p' "$conf" | tail -n 1)
	[[ $1 == "$name-$version" ]] ||
		die E_PACKAGE "/usr/src/$1/dkms.conf names '$name' '$version': dkms looks for them in /usr/src/$name-$version"
	log "building $name $version for kernel $kernel"
	in_tree "$tree" dkms add -m "$name" -v "$version" >"$tree/run/dkms.log" 2>&1 || true
	in_tree "$tree" unshare --net -- dkms build -m "$name" -v "$version" -k "$kernel" -j "$(nproc)" >>"$tree/run/dkms.log" 2>&1 && return
	cat "$tree/run/dkms.log" >&2
	make_log=$(find "$tree/var/lib/dkms/$name/$version" -name make.log | head -n 1)
	[[ -z $make_log ]] || tail -n 60 "$make_log" >&2
	die E_PACKAGE "$name $version does not build for kernel $kernel: $(grep -hm 1 -E 'error:|Error[ !:]' ${make_log:+"$make_log"} "$tree/run/dkms.log")" \
		"take a driver that supports this kernel, or another kernel: os.kernel"
}

# take_module FILE OUTPUT: unpacked, and named as the kernel names it: distributions rename theirs.
take_module() {
	local file=$1 plain name
	plain=$work/module.ko
	case $file in
	*.xz) xz -dc "$file" >"$plain" ;;
	*.zst) zstd -qdc "$file" >"$plain" ;;
	*.gz) gzip -dc "$file" >"$plain" ;;
	*) cp -- "$file" "$plain" ;;
	esac
	cp -- "$plain" "$tree/run/module.ko"
	name=$(in_tree "$tree" modinfo -F name /run/module.ko)
	mv -- "$plain" "$2/${name//_/-}.ko"
}

# sign_modules KERNEL KEY CERTIFICATE FOLDER: with the program of the kernel's own build tree, in the view.
sign_modules() {
	local kernel=$1 program
	for program in "/usr/src/linux-headers-$kernel/scripts/sign-file" "/lib/modules/$kernel/build/scripts/sign-file" \
		/usr/lib/linux-kbuild-*/scripts/sign-file; do
		program=$(chroot "$view" sh -c "ls $program 2>/dev/null" | head -n 1) || true
		[[ -z $program ]] || break
	done
	[[ -n $program ]] || die E_PACKAGE "the headers of kernel $kernel have no scripts/sign-file"
	mkdir -p "$view/run/cc-sign"
	(umask 077 && cat "$2" >"$view/run/cc-sign/key" && cat "$3" >"$view/run/cc-sign/certificate")
	rm -rf "$view/run/cc-sign/modules"
	cp -R "$4" "$view/run/cc-sign/modules"
	local module
	for module in "$view"/run/cc-sign/modules/*.ko; do
		in_tree "$view" "$program" sha512 /run/cc-sign/key /run/cc-sign/certificate "/run/cc-sign/modules/${module##*/}" >&2 ||
			die E_KEY "the modules cannot be signed with $2" "give a private key in PEM form and its X.509 certificate: nvidia.signing"
	done
	cp "$view"/run/cc-sign/modules/*.ko "$4/"
	rm -rf "$view/run/cc-sign"
}
