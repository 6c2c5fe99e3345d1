#!/usr/bin/env bash
# Put the hardening duties and their units into a tree, and mask every unit that has no place in a sealed machine.
#
# Parameters:
#   --tree DIR           the tree to change
#   --guest DIR          the folder scripts/guest of this project
#   [--folder NAME]...   an absolute path in the guest at which something is mounted at boot
#   --lockdown NAME      none, integrity or confidentiality: with the last two every kernel module has to be signed
# Runs in: namespace
# Network: no
# Output: /opt/flare/scripts, /etc/cc/hardening, systemd units and their configuration

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

units="$tree/etc/systemd/system"
own="$guest/hardening"

# signed FILE: whether a kernel module ends with a signature (scripts/sign-file.c of the kernel).
signed() {
	case $1 in
	*.xz) xz -dc -- "$1" ;;
	*.zst) zstd -dc -- "$1" ;;
	*) cat -- "$1" ;;
	esac | tail -c 28 | grep -q '~Module signature appended~'
}

# A module that is not signed could not be loaded, and the machine would not start, or have no GPU. Those of the
# distribution are all signed or all not; what was built here is in folders of its own (modules.dep(5), depmod.d(5)).
if [[ $lockdown != none ]]; then
	built=()
	shopt -s nullglob
	folders=("$tree"/lib/modules/*/{updates,extra,misc})
	shopt -u nullglob
	read_list modules find "$tree"/lib/modules/*/kernel -name 'dm-verity.ko*' -type f
	((${#folders[@]} == 0)) || read_list built find "${folders[@]}" -name '*.ko*' -type f
	for module in "${built[@]}" "${modules[@]}"; do
		signed "$module" || die E_CONFIG "hardening.lockdown: '$lockdown' needs signed kernel modules, and ${module#"$tree"} is not" \
			"use modules of the distribution, or set hardening.lockdown to none"
	done
fi

mkdir -p "$tree/opt/flare/scripts" "$tree/etc/cc/hardening"
cp -R --no-preserve=ownership "$guest/opt-flare/." "$tree/opt/flare/scripts/"
find "$tree/opt/flare" -type d -exec chmod 755 {} +
find "$tree/opt/flare" -type f -exec chmod 644 {} +
find "$tree/opt/flare/scripts" -maxdepth 1 -name '*.sh' -exec chmod 755 {} +
install -m 0644 "$own/etc/sysctl.conf" "$tree/etc/cc/hardening/sysctl.conf"
for path in "${folder[@]}"; do mkdir -p -- "$tree$path"; done

place() { # FILE PATH
	mkdir -p "$(dirname -- "$tree$2")"
	install -m 0644 "$own/etc/$1" "$tree$2"
}
place journald.conf /etc/systemd/journald.conf.d/zz-cc.conf
place resolved.conf /etc/systemd/resolved.conf.d/zz-cc.conf
place system.conf /etc/systemd/system.conf.d/zz-cc.conf
place modules.conf /etc/modules-load.d/cc-hardening.conf
# The only network configuration.
rm -rf "$tree/etc/systemd/network" "$tree/etc/network" "$tree/etc/netplan"
place 80-cc.network /etc/systemd/network/80-cc.network
rm -f "$tree/etc/resolv.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"

# What is enabled is decided here alone: wants of packages that were installed go, masks come.
rm -rf "$units"/getty.target.wants "$units"/timers.target.wants "$units"/paths.target.wants
while read -r unit; do
	[[ -z $unit || $unit == '#'* ]] || ln -sfn /dev/null "$units/$unit"
done <"$own/etc/masked-units"
# The sockets, timers and paths of what is masked or gone would fail.
read_list idle python3 -B "$scripts_dir/lib/units.py" idle "$tree"
for unit in "${idle[@]}"; do ln -sfn /dev/null "$units/$unit"; done
# Nobody gets a user namespace here (user.max_user_namespaces): a service that asks for one would fail.
read_list users python3 -B "$scripts_dir/lib/units.py" users "$tree"
for unit in "${users[@]}"; do
	mkdir -p "$units/$unit.d"
	printf '[Service]\nPrivateUsers=no\n' >"$units/$unit.d/zz-cc.conf"
done
# Generators make units of what the host says: command line, EFI variables, credentials, partitions. Ours reads boot.conf.
for kind in system-generators system-environment-generators; do
	mkdir -p "$tree/etc/systemd/$kind"
	for generator in "$tree"/usr/lib/systemd/"$kind"/* "$tree"/usr/local/lib/systemd/"$kind"/*; do
		name=${generator##*/}
		[[ ! -e $generator || $name == cc-partitions ]] || ln -sfn /dev/null "$tree/etc/systemd/$kind/$name"
	done
done
# What the one for fstab would make. A memory file system that systemd itself has mounted is remounted with its options.
mkdir -p "$units/local-fs.target.wants" "$units/local-fs.target.requires"
ln -sfn /usr/lib/systemd/system/systemd-remount-fs.service "$units/local-fs.target.wants/systemd-remount-fs.service"
while read -r source path type options _; do
	[[ $source == tmpfs && $path != /dev/shm ]] || continue
	name=${path#/} name=${name//-/\\x2d} name=${name//\//-}.mount
	printf '[Unit]\nDefaultDependencies=no\nConflicts=umount.target\nBefore=local-fs.target umount.target\n\n' >"$units/$name"
	printf '[Mount]\nWhat=tmpfs\nWhere=%s\nType=%s\nOptions=%s\n' "$path" "$type" "$options" >>"$units/$name"
	ln -sfn "../$name" "$units/local-fs.target.requires/$name"
done <"$tree/etc/fstab"

for file in "$own"/systemd/*; do
	name=${file##*/}
	install -m 0644 "$file" "$tree/usr/lib/systemd/system/$name"
	wanted=$(sed -nE '/^(RequiredBy|WantedBy)=/p' "$file")
	while IFS='=' read -r key targets; do
		for target in $targets; do
			case $key in
			RequiredBy) folder=$target.requires ;;
			*) folder=$target.wants ;;
			esac
			mkdir -p "$units/$folder"
			ln -sfn "/usr/lib/systemd/system/$name" "$units/$folder/$name"
		done
	done <<<"$wanted"
done
for unit in systemd-networkd systemd-resolved; do
	[[ -e $tree/usr/lib/systemd/system/$unit.service ]] || die E_IMAGE "the image has no $unit" "build its base image again"
	ln -sfn "/usr/lib/systemd/system/$unit.service" "$units/multi-user.target.wants/$unit.service"
done
ln -sfn /usr/lib/systemd/system/multi-user.target "$units/default.target"

# Credentials of the host would become keys and passwords by it.
mkdir -p "$tree/etc/tmpfiles.d"
ln -sfn /dev/null "$tree/etc/tmpfiles.d/provision.conf"

# Of the rules of the packages those stay that load drivers, name interfaces, and serve device-mapper, systemd and the GPU.
# Others look into what the host attaches, as root: file systems, volumes, arrays, optical disks, flash, serial numbers.
mkdir -p "$tree/etc/udev/rules.d"
for rules in "$tree"/usr/lib/udev/rules.d/*.rules; do
	name=${rules##*/}
	[[ $name == *nvidia* ]] || grep -qxF -- "$name" "$guest/initramfs/kept-rules" || ln -sfn /dev/null "$tree/etc/udev/rules.d/$name"
done
