#!/usr/bin/env bash
# Put the programs into a tree that open its partitions at boot and that replace every rescue shell by power off.
#
# Parameters:
#   --tree DIR           the tree to change
#   --guest DIR          the folder scripts/guest of this project
#   [--module NAME]...   a kernel module that the initrd holds and loads
# Runs in: namespace
# Network: no
# Output: /usr/lib/cc, systemd units and generator, the initramfs-tools hook and boot script

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

install_tree() { # FROM TO: copy a folder; root owns it, programs stay programs
	mkdir -p "$tree$2"
	cp -R --no-preserve=ownership "$guest/$1/." "$tree$2/"
	chmod -R u=rwX,go=rX "$tree$2"
}

install_tree cc /usr/lib/cc
find "$tree/usr/lib/cc" -type f -not -path '*/lib/cc/lib/*' -exec chmod 755 {} +
install -m 644 "$scripts_dir/lib/mke2fs.conf" "$tree/usr/lib/cc/lib/mke2fs.conf"
install_tree initramfs/hooks /etc/initramfs-tools/hooks
install_tree initramfs/scripts /etc/initramfs-tools/scripts
install_tree initramfs/conf.d /etc/initramfs-tools/conf.d
for file in clear-environment kept-rules; do
	install -D -m 0644 "$guest/initramfs/$file" "$tree/usr/lib/cc/initramfs/$file"
done
chmod 755 "$tree/etc/initramfs-tools/hooks/cc"
install_tree systemd/generators /usr/lib/systemd/system-generators
chmod 755 "$tree/usr/lib/systemd/system-generators/cc-partitions"
install_tree systemd/system /usr/lib/systemd/system

# The distribution's own units of these names lie in the same folder, so ours stand where they always win.
for unit in emergency rescue; do
	mv "$tree/usr/lib/systemd/system/$unit.service" "$tree/etc/systemd/system/$unit.service"
done
ln -sfn /dev/null "$tree/etc/systemd/system/debug-shell.service"
mkdir -p "$tree/etc/systemd/system/local-fs.target.wants" "$tree/etc/systemd/system/multi-user.target.wants"
ln -sfn /usr/lib/systemd/system/cc-grow-root.service "$tree/etc/systemd/system/local-fs.target.wants/cc-grow-root.service"
for unit in cc-boot-check cc-boot-settled; do
	ln -sfn "/usr/lib/systemd/system/$unit.service" "$tree/etc/systemd/system/multi-user.target.wants/$unit.service"
done

# Only what is listed: a small initrd is measured and booted faster, and holds nothing that is not needed.
printf 'MODULES=list\nCOMPRESS=zstd\n' >"$tree/etc/initramfs-tools/conf.d/cc-modules"
printf '%s\n' "${module[@]}" >"$tree/etc/initramfs-tools/modules"
