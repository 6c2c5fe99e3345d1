#!/usr/bin/env bash
# Run a command in a tree as if the tree were a machine of its own: a root file system that is no chroot, in which an
# ordinary user may make user namespaces (the kernel refuses that in a chroot), with the network of this machine.
#
# Parameters:
#   --tree DIR            the root of the machine
#   [--bind DIR]...       a folder of this machine that is seen there at the same path
#   [--user NAME]         an account of the tree; absent: root
#   --command TEXT...     the words of the command
# Runs in: host
# Network: yes
# Output: that of the command. Needs root.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"
need unshare setpriv pivot_root

# shellcheck disable=SC2154,SC2034 # parameters
((EUID == 0)) || die E_HOST_TOOL "a tree is entered as root" "run it as root"

# inside: in mount, pid, ipc and uts namespaces of its own.
inside() {
	local item node
	mount --bind "$tree" "$tree"
	mount -t proc proc "$tree/proc"
	mount -t sysfs -o ro sysfs "$tree/sys" 2>/dev/null || mount --rbind /sys "$tree/sys"
	mount -t tmpfs -o mode=0755,nosuid tmpfs "$tree/dev"
	mkdir "$tree/dev/shm" "$tree/dev/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$tree/dev/shm"
	for node in null zero full random urandom tty fuse kvm; do
		[[ -e /dev/$node ]] || continue
		: >"$tree/dev/$node"
		mount --bind "/dev/$node" "$tree/dev/$node"
	done
	ln -s /proc/self/fd "$tree/dev/fd"
	ln -s /proc/self/fd/0 "$tree/dev/stdin"
	ln -s /proc/self/fd/1 "$tree/dev/stdout"
	ln -s /proc/self/fd/2 "$tree/dev/stderr"
	mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$tree/run"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$tree/tmp"
	for item in /etc/resolv.conf /etc/hosts; do
		[[ -e $tree$item ]] || : >"$tree$item"
		mount --bind "$item" "$tree$item"
	done
	for item in "${bind[@]}"; do
		mkdir -p "$tree$item"
		mount --rbind "$item" "$tree$item"
	done
	# Not chroot: the kernel lets nobody make a user namespace in one.
	cd "$tree"
	pivot_root . mnt
	cd /
	umount -l /mnt
	local words=()
	[[ -z $user ]] || words=(setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all --)
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		HOME="$([[ -n $user ]] && echo "/home/$user" || echo /root)" \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
		"${words[@]}" "${command[@]}"
}

if [[ -z ${CC_MATRIX_INSIDE-} ]]; then
	CC_MATRIX_INSIDE=1 exec unshare --mount --pid --ipc --uts --fork --kill-child=KILL --mount-proc -- bash "$step_script" "$@"
fi
inside
