#!/usr/bin/env bash
# Make an ISO of Debian packages with exactly the layout of an Ubuntu live-server ISO, to build and test without one.
#
# Parameters:
#   --suite NAME             bookworm or trixie
#   --output PATH            the ISO; PATH.SHA256SUMS, PATH.SHA256SUMS.gpg and PATH.keyring.gpg are written beside it
#   [--package NAME]...      further packages for the pool
#   [--catalog NAME]         form of casper/install-sources.yaml: list (as 22.04 and 24.04 have it) or dict; absent: list
#   [--work-dir PATH]        keeps downloaded packages for the next run; absent: nothing is kept
#   [--epoch NUMBER]         date of the release, in seconds; absent: the start of today
# Runs in: namespace
# Network: yes
# Output: the ISO and three files beside it. It has no boot loader, kernel or initrd: it is read, not booted.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"
# shellcheck source=../../scripts/lib/apt.sh
. "$scripts_dir/lib/apt.sh"
# shellcheck source=../../scripts/lib/tree.sh
. "$scripts_dir/lib/tree.sh"
# shellcheck source=fixture.sh
. "$(dirname -- "$step_script")/fixture.sh"
need mmdebstrap tar2sqfs xorriso gpg apt-ftparchive dpkg-deb python3 setcap

keyring_in_tree=usr/share/keyrings/standin-archive-keyring.gpg
archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
minimal_packages=(systemd-sysv udev dbus libcap2-bin)
server_packages=(iproute2 iputils-ping less netbase)
# What an installation on top of the layers asks the pool for. Ubuntu's pool has its seed "server-ship" here.
pool_packages=(linux-image-cloud-amd64 initramfs-tools zstd kmod busybox cryptsetup-bin cryptsetup-initramfs dmsetup
	e2fsprogs fdisk nftables python3 locales tzdata dbus udev systemd systemd-sysv libpam-systemd iproute2 openssh-server
	ca-certificates sudo apparmor curl gpgv systemd-timesyncd systemd-resolved python3-venv)

# shellcheck disable=SC2154 # parameters
main() {
	local release title
	case $suite in
	bookworm) release=12 title=Bookworm ;;
	trixie) release=13 title=Trixie && pool_packages+=(systemd-cryptsetup) ;;
	*) die E_STEP_ARGUMENT "--suite: '$suite' is neither bookworm nor trixie" ;;
	esac
	catalog=${catalog:-list}
	[[ $catalog == list || $catalog == dict ]] || die E_STEP_ARGUMENT "--catalog: '$catalog' is neither list nor dict"
	[[ -r $archive_keyring ]] || die E_HOST_TOOL "no keys of the Debian archive: '$archive_keyring'" \
		"install the package debian-archive-keyring"
	epoch=${epoch:-$(date -d 'today 0:00' +%s)}
	export SOURCE_DATE_EPOCH=$epoch

	work=$output.partial
	rm -rf -- "$work"
	trap 'rm -rf -- "$work"' EXIT
	archives=${work_dir:-$work}/archives-$suite
	iso=$work/iso
	mkdir -p "$archives/partial" "$iso"/{.disk,casper}

	phase key make_key
	phase minimal make_minimal
	make_layer casper/standin-server-minimal "$work/lower" "" &
	local layer_1=$!
	phase server make_server
	make_layer casper/standin-server-minimal.standin-server "$work/upper" "$work/lower" &
	local layer_2=$!
	phase pool make_pool
	wait "$layer_1"
	wait "$layer_2"
	phase catalog make_catalog
	phase image make_image
}

phase() {
	local start=$EPOCHREALTIME
	"${@:2}"
	log "$(awk -v a="$start" -v b="$EPOCHREALTIME" -v name="$1" 'BEGIN { printf "phase %-8s %5.1f s", name, b - a }')"
}

# A key for this ISO alone. gpg-agent ends with the namespace; its socket needs a short path.
make_key() {
	GNUPGHOME=$(mktemp -d /tmp/standin.XXXXXX)
	export GNUPGHOME
	trap 'rm -rf -- "$work" "$GNUPGHOME"' EXIT
	gpg --batch --quiet --passphrase '' --quick-generate-key 'Stand-in ISO (test key, trust it for nothing)' ed25519 sign never
	gpg --batch --quiet --export >"$work/keyring.gpg"
}

make_minimal() {
	local name options=()
	for name in "${minimal_packages[@]}"; do options+=(--package "$name"); done
	# Ubuntu's minimal flavour leaves documentation and translations out as well.
	for name in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*'; do options+=(--exclude "$name"); done
	bash "$scripts_dir/source/mirror.sh" --tree "$work/lower" --suite "$suite" --components main \
		--keyring "$archive_keyring" --archives "$archives" --epoch "$epoch" "${options[@]}"
	install -D -m 644 "$work/keyring.gpg" "$work/lower/$keyring_in_tree"
	fixture_lower "$work/lower/usr/share/standin"
}

# apt_on TREE ARCHIVES ARGUMENT...: apt of the host on a tree of ours, with the host's mirrors; dpkg runs inside the tree.
apt_on() {
	local tree=$1 archives_here=$2
	shift 2
	[[ -s $work/sources.list ]] || apt_sources "$suite" main | apt_without_key | sed "s|^deb |deb [signed-by=$archive_keyring] |" >"$work/sources.list"
	mkdir -p "$work/lists/partial"
	{
		apt_acquire
		printf '%s "%s";\n' Dir "$tree/" Dir::Etc::SourceList "$work/sources.list" Dir::Etc::SourceParts /dev/null \
			Dir::State::Lists "$work/lists/" Dir::Cache::Archives "$archives_here/" \
			Dir::Cache::PkgCache '' Dir::Cache::SrcPkgCache '' Debug::NoLocking true \
			DPkg::Chroot-Directory "$tree" APT::Sandbox::User root APT::Install-Recommends false \
			APT::Keep-Downloaded-Packages true Acquire::Languages none Dpkg::Use-Pty false
	} >"$work/apt.conf"
	APT_CONFIG=$work/apt.conf DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet "$@" </dev/null 2>&1 |
		tee "$work/apt.log" >&2 || apt_blame "$work/apt.log" "apt-get $1 failed"
}

make_server() {
	cp -a -- "$work/lower" "$work/upper"
	local inside=$work/upper/var/cache/apt/archives
	mount --bind "$archives" "$inside"
	tree_mounts "$work/upper"
	apt_on "$work/upper" "$inside" update
	apt_on "$work/upper" "$inside" install "${server_packages[@]}"
	umount -l "$work/upper"/{dev,proc,sys,tmp,run} "$inside"
	rm -f "$work"/upper/var/cache/apt/*.bin "$work"/upper/var/log/{dpkg,alternatives}.log "$work"/upper/var/log/apt/*
	fixture_upper "$work/upper/usr/share/standin"
}

# make_layer NAME TREE LOWER: squashfs and its two sidecars; the manifest of an upper layer is the difference.
make_layer() {
	local lower=()
	[[ -z $3 ]] || lower=(--lower "$3")
	"$(dirname -- "$step_script")/layer.py" --tree "$2" "${lower[@]}" --epoch "$epoch" |
		tar2sqfs --quiet --num-jobs 2 --compressor xz "$iso/$1.squashfs"
	{
		[[ -z $3 ]] || package_list "$3"
		package_list "$2"
	} | sort | uniq -u >"$iso/$1.manifest"
	echo $(($(disk_usage "$2") - $(disk_usage "$3"))) >"$iso/$1.size"
}

disk_usage() { if [[ -z $1 ]]; then echo 0; else du -B1 -sx -- "$1" | cut -f 1; fi; }

package_list() { dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat '${Package}\t${Version}\n'; }

# Every package that the minimal layer lacks, so that both sources can be installed on without a network.
make_pool() {
	apt_on "$work/lower" "$archives" install --download-only "${pool_packages[@]}" "${package[@]}"
	apt_on "$work/lower" "$archives" install --simulate "${pool_packages[@]}" "${package[@]}"
	local name version architecture file source
	while read -r name version architecture; do
		file=${name}_${version//:/%3a}_$architecture.deb
		source=$(dpkg-deb --field "$archives/$file" Source)
		source=${source%% *}
		source=${source:-$name}
		case $source in lib?*) source=${source:0:4}/$source ;; *) source=${source:0:1}/$source ;; esac
		mkdir -p "$iso/pool/main/$source"
		cp --reflink=auto "$archives/$file" "$iso/pool/main/$source/${name}_${version#*:}_$architecture.deb"
	done < <(sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\{0,1\}(\([^ ]*\) .*\[\([^]]*\)\]).*/\1 \3 \4/p' "$work/apt.log")

	local dists=$iso/dists/$suite
	mkdir -p "$dists/main/binary-amd64"
	(cd "$iso" && apt-ftparchive packages pool/main) >"$dists/main/binary-amd64/Packages"
	gzip -9nk "$dists/main/binary-amd64/Packages"
	apt-ftparchive -o APT::FTPArchive::Release::Origin=Stand-in -o APT::FTPArchive::Release::Label=Stand-in \
		-o APT::FTPArchive::Release::Suite="$suite" -o APT::FTPArchive::Release::Codename="$suite" \
		-o APT::FTPArchive::Release::Version="$release" -o APT::FTPArchive::Release::Architectures=amd64 \
		-o APT::FTPArchive::Release::Components=main release "$dists" >"$work/Release"
	mv "$work/Release" "$dists/Release"
	gpg --batch --quiet --clearsign --output "$dists/InRelease" "$dists/Release"
	gpg --batch --quiet --armor --detach-sign --output "$dists/Release.gpg" "$dists/Release"
	ln -s "$suite" "$iso/dists/stable"
	ln -s "$suite" "$iso/dists/unstable"
	ln -s . "$iso/debian"
}

make_catalog() {
	printf 'Debian-Standin-Server %s "%s" - Release amd64 (%s)' "$release" "$title" "$(date -d "@$epoch" +%Y%m%d)" >"$iso/.disk/info"
	printf 'full_cd/single\n' >"$iso/.disk/cd_type"
	: >"$iso/.disk/base_installable"
	local file indent='' minimal server
	for file in "$iso"/casper/*.squashfs; do gpg --batch --quiet --armor --detach-sign --output "$file.gpg" "$file"; done
	minimal=$(<"$iso/casper/standin-server-minimal.size")
	server=$((minimal + $(<"$iso/casper/standin-server-minimal.standin-server.size")))
	{
		if [[ $catalog == dict ]]; then
			printf 'version: 2\nkernel:\n  default: linux-image-cloud-amd64\nsources:\n'
			indent='  '
		fi
		sed "s/^/$indent/" <<-EOF
			- description: {en: 'A stand-in for the minimized server: no documentation, no translations.'}
			  id: standin-server-minimal
			  locale_support: none
			  name: {en: Debian stand-in server (minimized)}
			  path: standin-server-minimal.squashfs
			  size: $minimal
			  type: fsimage
			  variant: server
			- default: true
			  description: {en: 'A stand-in for the default installation.'}
			  id: standin-server
			  locale_support: locale-only
			  name: {en: Debian stand-in server}
			  path: standin-server-minimal.standin-server.squashfs
			  size: $server
			  type: fsimage-layered
			  variant: server
		EOF
	} >"$iso/casper/install-sources.yaml"
}

make_image() {
	(cd "$iso" && find . -type f ! -name md5sum.txt -print0 | sort -z | xargs -0 md5sum) >"$iso/md5sum.txt"
	xorriso -as mkisofs -quiet -r -J -joliet-long -iso-level 3 -V "Debian-Standin-Server $release amd64" \
		-o "$work/image.iso" "$iso"
	(cd "$work" && sha256sum -b image.iso) | sed "s| \*.*| *${output##*/}|" >"$work/SHA256SUMS"
	gpg --batch --quiet --armor --detach-sign --output "$work/SHA256SUMS.gpg" "$work/SHA256SUMS"
	mv "$work/keyring.gpg" "$output.keyring.gpg"
	mv "$work/SHA256SUMS" "$output.SHA256SUMS"
	mv "$work/SHA256SUMS.gpg" "$output.SHA256SUMS.gpg"
	mv "$work/image.iso" "$output"
}

main
