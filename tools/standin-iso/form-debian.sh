# shellcheck shell=bash
# The plain form: a small Debian in the layout of an Ubuntu live-server ISO. Sourced by make-standin-iso.sh; the other
# forms build on it.

# shellcheck disable=SC2034 # for the maker
form_debian() {
	case $suite in
	bookworm) release=12 title=Bookworm ;;
	trixie) release=13 title=Trixie ;;
	*) die E_STEP_ARGUMENT "--suite: '$suite' is neither bookworm nor trixie" ;;
	esac
	os=debian codename=$suite components=(main)
	info="Debian-Standin-Server $release \"$title\" - Release amd64 ($(date -d "@$epoch" +%Y%m%d))"
	volume="Debian-Standin-Server $release amd64"
	minimal_id=standin-server-minimal server_id=standin-server
	keyring_in_tree=usr/share/keyrings/standin-archive-keyring.gpg
	kernel=linux-image-cloud-amd64
	minimal_packages=(systemd-sysv udev dbus libcap2-bin)
	server_packages=(iproute2 iputils-ping less netbase)
	# What an installation on top of the layers asks the pool for. Ubuntu's pool has its seed "server-ship" here.
	pool_packages=(linux-image-cloud-amd64 initramfs-tools zstd kmod busybox cryptsetup-bin cryptsetup-initramfs dmsetup
		e2fsprogs fdisk nftables python3 locales tzdata dbus udev systemd systemd-sysv libpam-systemd iproute2 openssh-server
		ca-certificates sudo netbase apparmor curl gpgv systemd-timesyncd systemd-resolved python3-venv)
	[[ $suite != trixie ]] || pool_packages+=(systemd-cryptsetup)
	# Functions that change a layer, or add to the pool or to the ISO.
	minimal_hooks=() server_hooks=() pool_hooks=() layer_hooks=()
}
