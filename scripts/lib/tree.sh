# shellcheck shell=bash
# Running programs inside a tree. Sourced after step.sh, in steps that run in the namespace: every mount below
# belongs to the namespace of the step, so nothing of it can be left behind on the host.

# tree_mounts TREE: the kernel file systems and the handful of device nodes that package scripts expect.
tree_mounts() {
	local tree=$1 node
	mount -t tmpfs -o mode=0755,nosuid tmpfs "$tree/dev"
	for node in null zero full random urandom tty; do
		: >"$tree/dev/$node"
		mount --bind "/dev/$node" "$tree/dev/$node"
	done
	mkdir "$tree/dev/shm" "$tree/dev/pts"
	ln -s /proc/self/fd "$tree/dev/fd"
	ln -s /proc/self/fd/0 "$tree/dev/stdin"
	ln -s /proc/self/fd/1 "$tree/dev/stdout"
	ln -s /proc/self/fd/2 "$tree/dev/stderr"
	mount -t proc proc "$tree/proc"
	mount --rbind /sys "$tree/sys"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$tree/tmp"
	mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$tree/run"
	mkdir -p "$tree/run/lock"
}

# tree_network TREE: name resolution and certificates of the host, laid over the tree's own files for the
# duration of the step. A resolv.conf that is a link into /run is satisfied there.
tree_network() {
	local tree=$1 target
	target=$(readlink -m -- "$tree/etc/resolv.conf")
	if [[ -L $tree/etc/resolv.conf ]]; then
		target=$(readlink -- "$tree/etc/resolv.conf")
		[[ $target == /* ]] || target=/etc/$target
		target=$tree$(realpath -ms -- "$target")
	fi
	mkdir -p -- "$(dirname -- "$target")"
	[[ -e $target ]] || : >"$target"
	mount --bind /etc/resolv.conf "$target"
}

# in_tree TREE COMMAND...: run COMMAND with the tree as its root, with a clean environment: what the host has
# set must not reach maintainer scripts. That of sudo refuses its removal while root has no password, unless it is told.
# Not `env -i NAME=VALUE`: a proxy may have a password, and every user can read the arguments of a process.
in_tree() (
	tree_root=$1
	shift
	# shellcheck disable=SC2163 # the names are in the variable
	while read -r _ _ tree_name; do export -nf -- "$tree_name"; done < <(declare -Fx)
	# shellcheck disable=SC2163
	while read -r tree_name; do
		case $tree_name in
		http_proxy | https_proxy | no_proxy) [[ -n ${!tree_name:+set} ]] || unset "$tree_name" ;;
		*) export -n -- "$tree_name" ;;
		esac
	done < <(compgen -e)
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8 TZ=UTC \
		DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true SOURCE_DATE_EPOCH="${source_date_epoch:-0}" \
		SUDO_FORCE_REMOVE=yes
	exec chroot "$tree_root" "$@"
)
