# shellcheck shell=bash
# --as ubuntu-22.04 | ubuntu-24.04: Debian's packages under Ubuntu's names, so that the profiles of Ubuntu are executed
# without an ISO of Ubuntu. Sourced by make-standin-iso.sh after form-like-ubuntu.sh and packages.sh.

# shellcheck disable=SC2034 # for the maker
form_as_ubuntu() { # NAME
	case $1 in
	ubuntu-22.04) suite=bookworm ;;
	ubuntu-24.04) suite=trixie ;;
	*) die E_STEP_ARGUMENT "--as: '$1' is neither ubuntu-22.04 nor ubuntu-24.04" ;;
	esac
	form_like_ubuntu
	case $1 in
	ubuntu-22.04) release=22.04.5 title='Jammy Jellyfish' codename=jammy ;;
	ubuntu-24.04) release=24.04.3 title='Noble Numbat' codename=noble ;;
	esac
	os=ubuntu series=${1#ubuntu-} components=(main restricted)
	info="Ubuntu-Server $release LTS \"$title\" - Release amd64 ($(date -d "@$epoch" +%Y%m%d))"
	volume="STAND-IN Ubuntu $release amd64"
	minimal_id=ubuntu-server-minimal server_id=ubuntu-server
	keyring_in_tree=usr/share/keyrings/ubuntu-archive-keyring.gpg
	kernel=linux-generic
	pool_packages=("${pool_packages[@]/#linux-image-cloud-amd64/linux-base}")
	minimal_hooks+=(as_ubuntu_names)
	pool_hooks=(as_ubuntu_pool)
	layer_hooks=(as_ubuntu_layers)
}

# as_ubuntu_names TREE: the files of base-files.
as_ubuntu_names() {
	cat >"$1/usr/lib/os-release" <<-EOF
		PRETTY_NAME="Ubuntu $release LTS"
		NAME="Ubuntu"
		VERSION_ID="$series"
		VERSION="$release LTS ($title)"
		VERSION_CODENAME=$codename
		ID=ubuntu
		ID_LIKE=debian
		HOME_URL="https://www.ubuntu.com/"
		SUPPORT_URL="https://help.ubuntu.com/"
		BUG_REPORT_URL="https://bugs.launchpad.net/ubuntu/"
		PRIVACY_POLICY_URL="https://www.ubuntu.com/legal/terms-and-policies/privacy-policy"
		UBUNTU_CODENAME=$codename
	EOF
	printf 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=%s\nDISTRIB_CODENAME=%s\nDISTRIB_DESCRIPTION="Ubuntu %s LTS"\n' \
		"$series" "$codename" "$release" >"$1/etc/lsb-release"
	# shellcheck disable=SC1003 # as getty reads it
	printf 'Ubuntu %s LTS \\n \\l\n\n' "$release" >"$1/etc/issue"
	printf 'Ubuntu %s LTS\n' "$release" >"$1/etc/issue.net"
}

# The kernels, under the names of Ubuntu. The default kernel of 22.04, 5.15, cannot run as an SNP guest; the one that
# stands for it here, Debian's for clouds, has no sev-guest. All others can. The suite of the kernels is bookworm for
# both: rename-kernel.py has no room for a new name in the zstd payload of trixie's.
as_ubuntu_pool() {
	local ga=linux-image-amd64
	[[ $series != 22.04 ]] || ga=linux-image-cloud-amd64
	kernel_packages "$ga" 1 linux-generic linux-image-generic
	kernel_packages linux-image-amd64 0 "linux-generic-hwe-$series" "linux-image-generic-hwe-$series"
	deb_directory linux-firmware
	install -D -m 644 /dev/null "$deb/lib/firmware/stand-in"
	deb_build main linux-firmware 1 ''
}

# kernel_packages DEBIAN_META NUMBER META META_IMAGE: split one of Debian's kernel packages as Ubuntu's are.
kernel_packages() {
	local meta=$1 number=$2 from to version unpacked=$work/kernel-$2 modules item
	kernel_deb "$meta" "$unpacked"
	from=$(basename "$unpacked"/boot/vmlinuz-*)
	from=${from#vmlinuz-}
	version=$(dpkg-deb --field "$unpacked.deb" Version)
	to=$(ubuntu_release "$from" "$number")
	log "kernel $from becomes $to"
	kernel_rename "$unpacked" "$from" "$to"
	modules=lib/modules/$to

	deb_directory "linux-image-$to"
	mkdir -p "$deb/boot"
	mv "$unpacked/boot/vmlinuz-$to" "$deb/boot/"
	kernel_postinst "$to"
	deb_build main "linux-image-$to" "$version" "kmod, linux-base, initramfs-tools | linux-initramfs-tool, linux-modules-$to"

	deb_directory "linux-modules-extra-$to"
	for item in drivers/virt sound drivers/net/wireguard; do
		[[ -d $unpacked/$modules/kernel/$item ]] || continue
		mkdir -p "$deb/$modules/kernel/$(dirname "$item")"
		mv "$unpacked/$modules/kernel/$item" "$deb/$modules/kernel/$(dirname "$item")/"
	done
	depmod_postinst "$to"
	deb_build main "linux-modules-extra-$to" "$version" "linux-image-$to"

	nvidia_packages "$to" "$unpacked/$modules"

	deb_directory "linux-modules-$to"
	mkdir -p "$deb/boot" "$deb/lib/modules"
	mv "$unpacked"/boot/* "$deb/boot/"
	mv "$unpacked/$modules" "$deb/lib/modules/"
	depmod_postinst "$to"
	deb_build main "linux-modules-$to" "$version" ''

	deb_meta "$4" "$version" "linux-image-$to, linux-modules-extra-$to, linux-firmware"
	deb_meta "$3" "$version" "$4 (= $version)"
	rm -rf "$unpacked" "$unpacked.deb"
}

# kernel_deb META DIR: unpack the newest kernel that META depends on.
kernel_deb() {
	local name suite=bookworm file
	apt_on "$work/lower" "$archives" update
	apt_on "$work/lower" "$archives" install --simulate "$1"
	name=$(sed -n 's/^Inst \(linux-image-[0-9][^ ]*\) .*/\1/p' "$work/apt.log")
	(cd "$archives" && apt_on "$work/lower" "$archives" download "$name")
	file=$(find "$archives" -name "${name}_*.deb" | sort -V | tail -n 1)
	[[ -n $file ]] || die E_PACKAGE "$1 brings no kernel package"
	cp "$file" "$2.deb"
	dpkg-deb --extract "$file" "$2"
	[[ -d $2/lib/modules ]] || { mkdir -p "$2/lib" && mv "$2/usr/lib/modules" "$2/lib/"; }
	# What no virtual machine needs is most of the package.
	(cd "$2"/lib/modules/*/kernel && rm -rf drivers/{media,staging,infiniband,isdn,iio,hid,input,mmc,mtd,usb/{serial,gadget,misc}} \
		drivers/net/{wireless,can,usb,hamradio,ieee802154} drivers/gpu/drm/{amd,i915,nouveau,radeon,xe} drivers/platform net/wireless)
	rm -rf "${2:?}/usr/share"
}

# ubuntu_release FROM NUMBER: a release name like Ubuntu's, as long as FROM; NUMBER below that of Debian's build.
ubuntu_release() {
	local abi base width
	abi=${1#*-}
	abi=${abi%%-*} base=${1%%-*}
	width=$((${#1} - ${#base} - 1 - 8))
	if ((width < ${#abi})); then
		base=${base%.*}
		width=$((${#1} - ${#base} - 1 - 8))
	fi
	printf '%s-%0*d-generic\n' "$base" "$width" "$((abi - $2))"
}

# kernel_rename DIR FROM TO: in names and in what `uname -r` says; the modules of 24.04 are compressed by zstd.
kernel_rename() {
	local file
	find "$1/lib/modules" -name '*.ko.xz' -exec xz -d -T 1 {} +
	mv "$1/lib/modules/$2" "$1/lib/modules/$3"
	for file in "$1"/boot/*-"$2"; do mv "$file" "${file%"$2"}$3"; done
	"$here/rename-kernel.py" --from "$2" --to "$3" --image "$1/boot/vmlinuz-$3" --modules "$1/lib/modules/$3"
	[[ $series != 24.04 ]] || find "$1/lib/modules/$3" -name '*.ko' -print0 | xargs -0 -n 200 zstd -q --rm -3
}

kernel_postinst() {
	deb_script postinst <<-EOF
		[ "\$1" = configure ] || exit 0
		linux-update-symlinks install $1 /boot/vmlinuz-$1
		[ ! -d /etc/kernel/postinst.d ] ||
			DEB_MAINT_PARAMS="\$*" run-parts --report --exit-on-error --arg=$1 --arg=/boot/vmlinuz-$1 /etc/kernel/postinst.d
	EOF
}

depmod_postinst() {
	deb_script postinst <<-EOF
		[ "\$1" = configure ] || exit 0
		depmod -a $1
	EOF
}

# nvidia_packages RELEASE MODULES: the open modules that Ubuntu builds for each kernel, and the user space. The modules
# are the kernel's own `dummy` with the driver's version; the programs say that there is no driver.
nvidia_packages() {
	local branch=580-server driver=580.95.05 name dummy version
	version=$driver-0ubuntu0.$series.1
	dummy=$(find "$2" -name 'dummy.ko*' | head -n 1)
	deb_directory "linux-modules-nvidia-$branch-open-$1"
	local folder=$deb/lib/modules/$1/kernel/nvidia-580srv-open
	mkdir -p "$folder"
	for name in nvidia nvidia-uvm nvidia-modeset nvidia-drm; do
		if [[ $dummy == *.zst ]]; then zstd -qdc "$dummy" >"$folder/$name.ko"; else cp "$dummy" "$folder/$name.ko"; fi
		objcopy --dump-section .modinfo="$work/modinfo" "$folder/$name.ko"
		printf 'version=%s\0' "$driver" >>"$work/modinfo"
		objcopy --update-section .modinfo="$work/modinfo" "$folder/$name.ko"
		[[ $dummy != *.zst ]] || zstd -q --rm "$folder/$name.ko"
	done
	depmod_postinst "$1"
	deb_build restricted "linux-modules-nvidia-$branch-open-$1" "$version" "linux-modules-$1"

	[[ ! -e $extra/restricted/libnvidia-compute-$branch.deb ]] || return 0
	for name in nvidia-compute-utils nvidia-utils nvidia-kernel-common libnvidia-cfg1 libnvidia-compute; do
		deb_directory "$name-$branch"
		case $name in
		nvidia-utils) nvidia_program nvidia-smi ;;
		nvidia-compute-utils) nvidia_daemon ;;
		libnvidia-compute) install -D -m 644 /dev/null "$deb/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.$driver" ;;
		esac
		deb_build restricted "$name-$branch" "$version" ''
	done
}

nvidia_program() { # NAME
	printf '#!/bin/sh\necho "%s is a stand-in: there is no driver" >&2\nexit 9\n' "$1" |
		install -D -m 755 /dev/stdin "$deb/usr/bin/$1"
}

# The daemon, with a unit that names its user, as in Ubuntu's package: base/55-gpu.sh reads that.
nvidia_daemon() {
	nvidia_program nvidia-persistenced
	install -D -m 644 /dev/stdin "$deb/lib/systemd/system/nvidia-persistenced.service" <<-'EOF'
		[Service]
		Type=forking
		ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose
	EOF
}

# The layers of the live session are on the ISO, and no installation may take them.
as_ubuntu_layers() {
	local name stack=$minimal_id.$server_id
	for name in installer installer.generic installer.generic-hwe; do
		mkdir -p "$work/$name/usr/share/standin-$name"
		printf 'a layer of the live session\n' >"$work/$name/usr/share/standin-$name/marker"
		tar -C "$work/$name" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -c . |
			tar2sqfs --quiet --compressor xz "$iso/casper/$stack.$name.squashfs"
		: >"$iso/casper/$stack.$name.manifest"
		du -B1 -sx "$work/$name" | cut -f 1 >"$iso/casper/$stack.$name.size"
	done
	printf 'stand-in\n' | tee "$iso/casper/vmlinuz" "$iso/casper/initrd" "$iso/casper/hwe-vmlinuz" >"$iso/casper/hwe-initrd"
}
