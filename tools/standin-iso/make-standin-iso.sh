#!/usr/bin/env bash
# Make an ISO of Debian packages with exactly the layout of an Ubuntu live-server ISO, to build and test without one.
#
# Parameters:
#   [--suite NAME]           bookworm or trixie; --as chooses its own
#   [--like NAME]            ubuntu: with the packages that Ubuntu's server has installed, as far as Debian has them
#   [--as NAME]              ubuntu-22.04 or ubuntu-24.04: the same, and under Ubuntu's names. Its volume label says that it
#                            is a stand-in
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
here=$(dirname -- "$step_script")
for file in fixture form-debian form-like-ubuntu form-as-ubuntu packages; do
	# shellcheck source=/dev/null
	. "$here/$file.sh"
done
need mmdebstrap tar2sqfs xorriso gpg apt-ftparchive dpkg-deb python3 setcap

archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC2154 # parameters
main() {
	catalog=${catalog:-list}
	[[ $catalog == list || $catalog == dict ]] || die E_STEP_ARGUMENT "--catalog: '$catalog' is neither list nor dict"
	[[ -r $archive_keyring ]] || die E_HOST_TOOL "no keys of the Debian archive: '$archive_keyring'" \
		"install the package debian-archive-keyring"
	epoch=${epoch:-$(date -d 'today 0:00' +%s)}
	# shellcheck disable=SC2031 # the subshell that has its own is another one
	export SOURCE_DATE_EPOCH=$epoch
	choose_form

	work=$output.partial
	rm -rf -- "$work"
	trap 'rm -rf -- "$work"' EXIT
	archives=${work_dir:-$work}/archives-$suite
	iso=$work/iso
	extra=$work/extra
	mkdir -p "$archives/partial" "$iso"/{.disk,casper}

	phase key make_key
	phase minimal make_minimal
	make_layer "casper/$minimal_id" "$work/lower" "" &
	local layer_1=$!
	phase server make_server
	make_layer "casper/$minimal_id.$server_id" "$work/upper" "$work/lower" &
	local layer_2=$!
	phase pool make_pool
	wait "$layer_1"
	wait "$layer_2"
	run_hooks "$iso" "${layer_hooks[@]}"
	phase catalog make_catalog
	phase image make_image
}

choose_form() {
	[[ -n $suite || -n $as ]] || die E_STEP_ARGUMENT "neither --suite nor --as is given"
	[[ -z $like || $like == ubuntu ]] || die E_STEP_ARGUMENT "--like: '$like' is not ubuntu"
	if [[ -n $as ]]; then
		need objcopy lz4 zstd xz
		form_as_ubuntu "$as"
	elif [[ -n $like ]]; then
		form_like_ubuntu
	else
		form_debian
	fi
}

# run_hooks DIR FUNCTION...: what the form adds.
run_hooks() {
	local hook
	for hook in "${@:2}"; do "$hook" "$1"; done
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
	run_hooks "$work/lower" "${minimal_hooks[@]}"
	fixture_lower "$work/lower/usr/share/standin"
}

# apt_on TREE ARCHIVES ARGUMENT...: apt of the host on a tree of ours, with the host's mirrors; dpkg runs inside the tree.
apt_on() {
	local tree=$1 archives_here=$2
	shift 2
	local sources=$work/$suite.list lists=$work/lists-$suite
	[[ -s $sources ]] || apt_sources "$suite" main | apt_without_key | sed "s|^deb |deb [signed-by=$archive_keyring] |" >"$sources"
	mkdir -p "$lists/partial"
	{
		apt_acquire
		printf '%s "%s";\n' Dir "$tree/" Dir::Etc::SourceList "$sources" Dir::Etc::SourceParts /dev/null \
			Dir::State::Lists "$lists/" Dir::Cache::Archives "$archives_here/" \
			Dir::Cache::PkgCache '' Dir::Cache::SrcPkgCache '' Debug::NoLocking true \
			DPkg::Chroot-Directory "$tree" APT::Sandbox::User root APT::Install-Recommends false \
			APT::Keep-Downloaded-Packages true Acquire::Languages none Dpkg::Use-Pty false \
			DPkg::Options:: --force-unsafe-io
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
	known_packages
	# Services must not start, and a configuration must not be asked for.
	printf '#!/bin/sh\nexit 101\n' >"$work/upper/usr/sbin/policy-rc.d"
	chmod 755 "$work/upper/usr/sbin/policy-rc.d"
	apt_on "$work/upper" "$inside" install "${server_packages[@]}"
	rm "$work/upper/usr/sbin/policy-rc.d"
	umount -l "$work/upper"/{dev,proc,sys,tmp,run} "$inside"
	rm -f "$work"/upper/var/cache/apt/*.bin "$work"/upper/var/log/{dpkg,alternatives}.log "$work"/upper/var/log/apt/*
	run_hooks "$work/upper" "${server_hooks[@]}"
	fixture_upper "$work/upper/usr/share/standin"
}

# known_packages: leave out of server_packages what the suite does not have, and say so.
known_packages() {
	local name known=()
	APT_CONFIG=$work/apt.conf apt-cache pkgnames | sort >"$work/names"
	for name in "${server_packages[@]}"; do
		if grep -qxF -- "$name" "$work/names"; then known+=("$name"); else log "$suite has no $name"; fi
	done
	server_packages=("${known[@]}")
}

# mount_overlay LOWER: an overlay at $work/overlay; fails where none can be mounted with the attributes of root's.
mount_overlay() {
	[[ $(</proc/self/uid_map) =~ ^\ *0\ +0\ +4294967295$ ]] || return
	mkdir "$work/overlay" "$work/overlay"/{upper,work,mounted}
	mount -t overlay -o "lowerdir=$1,upperdir=$work/overlay/upper,workdir=$work/overlay/work" overlay \
		"$work/overlay/mounted" 2>/dev/null
}

# make_layer NAME TREE LOWER: squashfs and its two sidecars; the manifest of an upper layer is the difference. Where it
# can, an upper layer comes from a mounted overlay, as livecd-rootfs makes it.
make_layer() {
	local maker=("$(dirname -- "$step_script")/layer.py" --tree "$2" --epoch "$epoch")
	[[ -z $3 ]] || maker+=(--lower "$3")
	if [[ -n $3 ]] && mount_overlay "$3"; then
		log "layer $1: from a mounted overlay"
		"${maker[@]}" --onto "$work/overlay/mounted"
		umount "$work/overlay/mounted"
		maker=("$(dirname -- "$step_script")/layer.py" --tree "$work/overlay/upper" --epoch "$epoch")
	fi
	"${maker[@]}" | tar2sqfs --quiet --num-jobs 2 --compressor xz --comp-extra level=1 "$iso/$1.squashfs"
	[[ -z $3 ]] || rm -rf -- "$work/overlay"
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

	run_hooks "$iso" "${pool_hooks[@]}"
	for file in "$extra"/*/*.deb; do
		[[ -f $file ]] || continue
		source=$iso/pool/$(basename "$(dirname "$file")")/s/standin
		mkdir -p "$source"
		cp --reflink=auto "$file" "$source/$(basename "$file" .deb)_$(dpkg-deb --field "$file" Version | sed 's/^[0-9]*://')_amd64.deb"
	done
	index_pool
}

# index_pool: the signed index of all components.
index_pool() {
	local dists=$iso/dists/$codename component
	for component in "${components[@]}"; do
		mkdir -p "$dists/$component/binary-amd64" "$iso/pool/$component"
		(cd "$iso" && apt-ftparchive packages "pool/$component") >"$dists/$component/binary-amd64/Packages"
		gzip -9nk "$dists/$component/binary-amd64/Packages"
	done
	apt-ftparchive -o APT::FTPArchive::Release::Origin=Stand-in -o APT::FTPArchive::Release::Label=Stand-in \
		-o APT::FTPArchive::Release::Suite="$codename" -o APT::FTPArchive::Release::Codename="$codename" \
		-o APT::FTPArchive::Release::Version="$release" -o APT::FTPArchive::Release::Architectures=amd64 \
		-o APT::FTPArchive::Release::Components="${components[*]}" release "$dists" >"$work/Release"
	mv "$work/Release" "$dists/Release"
	gpg --batch --quiet --clearsign --output "$dists/InRelease" "$dists/Release"
	gpg --batch --quiet --armor --detach-sign --output "$dists/Release.gpg" "$dists/Release"
	ln -s "$codename" "$iso/dists/stable"
	ln -s "$codename" "$iso/dists/unstable"
	ln -s . "$iso/$os"
}

make_catalog() {
	printf %s "$info" >"$iso/.disk/info"
	printf 'full_cd/single\n' >"$iso/.disk/cd_type"
	: >"$iso/.disk/base_installable"
	local file indent='' minimal server
	for file in "$iso"/casper/*.squashfs; do gpg --batch --quiet --armor --detach-sign --output "$file.gpg" "$file"; done
	minimal=$(<"$iso/casper/$minimal_id.size")
	server=$((minimal + $(<"$iso/casper/$minimal_id.$server_id.size")))
	{
		if [[ $catalog == dict ]]; then
			printf 'version: 2\nkernel:\n  default: %s\nsources:\n' "$kernel"
			indent='  '
		fi
		sed "s/^/$indent/" <<-EOF
			- description: {en: 'A stand-in for the minimized server: no documentation, no translations.'}
			  id: $minimal_id
			  locale_support: none
			  name: {en: Debian stand-in server (minimized)}
			  path: $minimal_id.squashfs
			  size: $minimal
			  type: fsimage
			  variant: server
			- default: true
			  description: {en: 'A stand-in for the default installation.'}
			  id: $server_id
			  locale_support: locale-only
			  name: {en: Debian stand-in server}
			  path: $minimal_id.$server_id.squashfs
			  size: $server
			  type: fsimage-layered
			  variant: server
		EOF
	} >"$iso/casper/install-sources.yaml"
}

make_image() {
	(cd "$iso" && find . -type f ! -name md5sum.txt -print0 | sort -z | xargs -0 md5sum) >"$iso/md5sum.txt"
	xorriso -as mkisofs -quiet -r -J -joliet-long -iso-level 3 -V "$volume" \
		-o "$work/image.iso" "$iso"
	(cd "$work" && sha256sum -b image.iso) | sed "s| \*.*| *${output##*/}|" >"$work/SHA256SUMS"
	gpg --batch --quiet --armor --detach-sign --output "$work/SHA256SUMS.gpg" "$work/SHA256SUMS"
	mv "$work/keyring.gpg" "$output.keyring.gpg"
	mv "$work/SHA256SUMS" "$output.SHA256SUMS"
	mv "$work/SHA256SUMS.gpg" "$output.SHA256SUMS.gpg"
	mv "$work/image.iso" "$output"
}

main
