#!/usr/bin/env bash
# How long it takes to grow an image, with cc-resize and with virt-resize of Debian's guestfs-tools, side by side.
#
# Both run as whole processes on a copy of the same qcow2. virt-resize starts an appliance, which is a virtual machine,
# and writes a new image, so both its time and the room it takes grow with the content; it runs in a chroot.
#
# Parameters:
#   --image DIR      an image directory; it is copied
#   --chroot PATH    where to make the chroot for virt-resize; it is kept
#   --size SIZE      of the disk to be, in bytes
#   --partition NUMBER  the one that virt-resize is to grow: the last
#   [--kvm FLAG]     let virt-resize use KVM; where /dev/kvm is there and does not work, it never ends
# Runs in: host
# Network: yes
# Output: standard output: one line for each. Needs root for virt-resize

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"
here=$(dirname -- "$step_script")
need node qemu-img

# seconds COMMAND...: how long it runs; what it says goes to stderr.
seconds() {
	local from=$EPOCHREALTIME
	"$@" >&2 </dev/null
	awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f", to - from }'
}

# show NAME SECONDS DISK WRITTEN: one line of the result; MiB.
show() { printf '%-12s %8s s   image %6s MiB on disk   %6s MiB of it new\n' "$1" "$2" "$3" "$4"; }
on_disk() { echo $(($(stat -c %b -- "$1") / 2048)); }

bash "$here/resize-chroot.sh" --output "$chroot" >&2
work=$chroot/bench
rm -rf -- "$work"
mkdir -- "$work"
trap 'rm -rf -- "$work"/*' EXIT
cp -r -- "$image" "$work/image"
name=$(sed -n 's/^  "name": "\(.*\)",$/\1/p' "$image/manifest.json")
before=$(on_disk "$work/image/$name.qcow2")

taken=$(seconds node "$here/../../packages/cc-resize/bin/run.js" --image "$work/image" --size "$size")
after=$(on_disk "$work/image/$name.qcow2")
show cc-resize "$taken" "$after" $((after - before))

cp -- "$image/$name.qcow2" "$work/in.qcow2"
qemu-img create -q -f qcow2 "$work/out.qcow2" "$size"
in_chroot() {
	local settings=(LIBGUESTFS_BACKEND=direct LIBGUESTFS_CACHEDIR=/bench TMPDIR=/bench)
	[[ -n $kvm ]] || settings+=(LIBGUESTFS_BACKEND_SETTINGS=force_tcg)
	timeout 900 chroot "$chroot" env "${settings[@]}" "$@"
}
# The appliance is made by the first program that needs it, and kept: that is not what is measured.
in_chroot virt-filesystems --add /bench/in.qcow2 >&2 </dev/null
taken=$(seconds in_chroot virt-resize --quiet --expand "/dev/sda$partition" /bench/in.qcow2 /bench/out.qcow2)
after=$(on_disk "$work/out.qcow2")
show virt-resize "$taken" "$after" "$after"
