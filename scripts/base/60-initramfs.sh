#!/usr/bin/env bash
# Make the initrd of a tree, once, for the newest kernel that is installed in it.
#
# Parameters:
#   --tree DIR   the tree to change
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: /boot/vmlinuz and /boot/initrd.img in the tree, the only kernel and initrd there

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

version=$(cd "$tree/boot" && find . -maxdepth 1 -name 'vmlinuz-*' -type f -printf '%f\n' | sed 's/^vmlinuz-//' | sort -V | tail -n 1)
[[ -n $version ]] || die E_PACKAGE "no kernel is installed in the tree" "name a kernel package: os.kernel in cc.yaml"
[[ -d $tree/lib/modules/$version ]] || die E_PACKAGE "the modules of kernel $version are not in the tree"

log "kernel $version"
tree_mounts "$tree"
in_tree "$tree" depmod "$version"
in_tree "$tree" mkinitramfs -o "/tmp/initrd.img" "$version"
cp "$tree/tmp/initrd.img" "$tree/boot/initrd.img-$version"
chmod 600 "$tree/boot/initrd.img-$version"
ln -sfn "initrd.img-$version" "$tree/boot/initrd.img"
ln -sfn "vmlinuz-$version" "$tree/boot/vmlinuz"
rm -f "$tree"/{vmlinuz,initrd.img}{,.old}
