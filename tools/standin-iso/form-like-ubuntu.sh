# shellcheck shell=bash
# --like ubuntu: the packages of Ubuntu's server, as far as Debian has them, and what Ubuntu's layers hold beside
# packages. Sourced by make-standin-iso.sh after form-debian.sh.

# shellcheck disable=SC2034 # for the maker
form_like_ubuntu() {
	form_debian
	minimal_packages+=(apt-utils kmod less sudo systemd-resolved systemd-timesyncd netplan.io iputils-ping)
	mapfile -t server_packages < <(sed '/^#/d' "$here/ubuntu-server-packages.txt")
	minimal_hooks=(like_ubuntu_minimal)
	server_hooks=(like_ubuntu_server)
}

# like_ubuntu_minimal TREE: networkd is enabled by links that livecd-rootfs brings, and names are resolved by resolved.
like_ubuntu_minimal() {
	local wants=$1/etc/systemd/system
	mkdir -p "$wants"/{multi-user,sockets,network-online}.target.wants "$1/etc/netplan"
	ln -sf /lib/systemd/system/systemd-networkd.service "$wants/multi-user.target.wants/systemd-networkd.service"
	ln -sf /lib/systemd/system/systemd-networkd.service "$wants/dbus-org.freedesktop.network1.service"
	ln -sf /lib/systemd/system/systemd-networkd.socket "$wants/sockets.target.wants/systemd-networkd.socket"
	ln -sf /lib/systemd/system/systemd-networkd-wait-online.service \
		"$wants/network-online.target.wants/systemd-networkd-wait-online.service"
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
}

# like_ubuntu_server TREE: snaps that are installed at the first boot. Nothing reads their content before.
like_ubuntu_server() {
	local seed=$1/var/lib/snapd/seed name
	mkdir -p "$seed"/{snaps,assertions}
	echo 'snaps:' >"$seed/seed.yaml"
	for name in core20_2318 lxd_29351 snapd_21759; do
		printf 'stand-in, not a snap\n' >"$seed/snaps/$name.snap"
		printf -- '-\n  name: %s\n  channel: stable\n  file: %s.snap\n' "${name%_*}" "$name" | sed 's/^/  /' >>"$seed/seed.yaml"
		printf 'type: snap-declaration\nsnap-name: %s\n' "${name%_*}" >"$seed/assertions/$name.assert"
	done
	# The layers hold no kernel; hook 01-setup_modules of livecd-rootfs makes this folder.
	mkdir -p "$1/lib/modules"
}
