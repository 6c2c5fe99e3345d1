#!/usr/bin/env bash
# Start the image in this folder as a confidential virtual machine with QEMU.
#
# Usage: launch_cc_image.sh [options]
#
#   --print            print the command and do not run it
#   --no-tee           without trusted execution environment, in an ordinary machine; development images only
#   --image DIR        the image directory; by default the folder of this script
#   --vcpus N          virtual processors; by default the first number of the manifest's section launch
#   --cpu TYPE         processor type by QEMU's name; by default the first one of that section
#   --memory SIZE      memory, for example 16G; by default that of the manifest
#   --network WAY      user (default), none, or bridge=NAME
#   --forward PORTS    with --network user: a TCP port of the host for one of the guest, PORT or HOST_PORT:PORT; repeatable
#   --input FILE       data disk nvflare-input, read-only: a block device, or a file named .raw, .img or .qcow2
#   --output FILE      data disk nvflare-output
#   --log FILE         disk nvflare-log, raw: the log of FLARE as text, where hardening.logs is disk; tr -d '\0' <FILE
#   --gpu ADDRESS      pass a GPU through, by its PCI address, bound to vfio-pci; repeatable
#   --mmio64 MIB       address space for the memory of GPUs that the firmware sets aside; 262144 by default
#   --host-data TEXT   32 bytes in base64 that the report of the guest will have as HOST_DATA; by default those of the manifest
#   --ovmf FILE        firmware of the kind AmdSev; by default the one of the distribution
#   --qemu FILE        QEMU; by default qemu-system-x86_64
#   --serial-log FILE  write the serial console to a file rather than to standard output
#   --snapshot         what the guest writes to its disk is lost at the end
#   --root-key FILE    key of a development image; by default keys/root.key of the image directory
#   --accel NAME       with --no-tee: kvm or tcg; by default kvm where /dev/kvm can be used
#
# An image of the profile production is started with its trusted execution environment or not at all.

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=lib/machine.sh
. "$here/lib/machine.sh"
# shellcheck source=lib/sev-snp.sh
. "$here/lib/sev-snp.sh"

image=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
print='' no_tee='' serial_log='' snapshot=off root_key='' accel=''
while (($#)); do
	case $1 in
	--help | -h) usage && exit 0 ;;
	--print) print=1 && shift && continue ;;
	--no-tee) no_tee=1 && shift && continue ;;
	--snapshot) snapshot=on && shift && continue ;;
	--*) (($# >= 2)) || fail 2 "$1 needs a value" "see --help" ;;
	*) fail 2 "unexpected argument '$1'" "see --help" ;;
	esac
	case $1 in
	--image) image=$(absolute "$2") ;;
	--serial-log) serial_log=$(absolute "$2") ;;
	--root-key) root_key=$(absolute "$2") ;;
	--accel) accel=$2 ;;
	*) machine_option "$1" "$2" || fail 2 "unknown option '$1'" "see --help" ;;
	esac
	shift 2
done

read_image "$image"
machine_check
cmdline=$(command_line "$image") || exit
for file in vmlinuz initrd.img cmdline; do
	[[ -f $image/$file ]] || fail 4 "$image/$file is missing" "take a whole copy of the image"
	# A changed kernel or initrd would start, and fail attestation later with no hint why.
	[[ $(sha256 "$image/$file") == "${manifest["artefacts/$file/sha256"]-}" ]] ||
		fail 4 "$image/$file was altered after the image was built" "take an unaltered copy of the image"
done
[[ -f $disk ]] || fail 4 "$disk is missing" "take a whole copy of the image"

# The machine itself.
if [[ -n $no_tee ]]; then
	[[ $profile == development ]] || fail 2 "$name is an image of the profile $profile: it is never started without trusted execution environment" \
		"leave --no-tee out, on a host with AMD SEV-SNP"
	[[ -n $accel ]] || { [[ -r /dev/kvm && -w /dev/kvm ]] && accel=kvm || accel=tcg; }
	case $accel in
	kvm) ;;
	tcg) accel=tcg,thread=multi ;;
	*) fail 2 "--accel: expected kvm or tcg: '$accel'" ;;
	esac
	platform=(-machine q35 -accel "$accel" -cpu max)
	virtio='' network_rom=''
else
	[[ -z $accel ]] || fail 2 "--accel is only for --no-tee"
	[[ ${manifest["launch/platform"]} == sev-snp ]] || fail 4 "$name is for the platform '${manifest["launch/platform"]}', which this script does not know"
	find_firmware
	[[ -n $firmware ]] || fail 3 "there is no firmware of the kind AmdSev on this host" "install ovmf-amdsev, or name one: --ovmf FILE"
	[[ -f $firmware ]] || fail 3 "there is no firmware '$firmware'" "install ovmf-amdsev, or name one: --ovmf FILE"
	problem=$(platform_firmware "$firmware")
	[[ -z $problem ]] || fail 3 "the firmware $firmware cannot launch this image: $problem" "name the right one: --ovmf FILE"
	[[ ${manifest[measurement]-} == null || -n $(entry digest) ]] || fail 2 \
		"there is no expected measurement for $vcpus processors of the type $cpu" "build the image with launch.vcpus and launch.cpuTypes that have them"
	choose_id_block
	platform_words "$cpu" "$memory_mib" "$policy" "$firmware" "$host_data"
	# A confidential guest reaches devices through memory that it shares, which only modern virtio can do.
	virtio=,disable-legacy=on,iommu_platform=on network_rom=,romfile=
fi

# add_disk FILE SERIAL FORMAT SNAPSHOT [MORE]
disks=()
add_disk() {
	local id=disk$((${#disks[@]} / 4))
	disks+=(-drive "if=none,id=$id,format=$3,snapshot=$4${5-},file=$(option "$1")" -device "virtio-blk-pci,drive=$id,serial=$2$virtio")
}
add_disk "$disk" cc-disk qcow2 "$snapshot"
format=''
if [[ -n $input ]]; then
	format=$(format_of "$input") || exit
	add_disk "$input" nvflare-input "$format" off ,readonly=on
fi
if [[ -n $output ]]; then
	format=$(format_of "$output") || exit
	add_disk "$output" nvflare-output "$format" off
fi
[[ -z $log ]] || add_disk "$log" nvflare-log raw off

keys=()
if [[ $root_key_source == development ]]; then
	root_key=${root_key:-$image/keys/root.key}
	[[ -f $root_key ]] || fail 4 "the key of this development image is missing: '$root_key'" "name it: --root-key FILE"
	keys=(-fw_cfg "name=opt/cc/keys/cc-root,file=$(option "$root_key")")
elif [[ -n $root_key ]]; then
	fail 2 "--root-key is only for images whose root key comes from the host; this one has '$root_key_source'"
fi

forwarded=''
for ports in "${forwards[@]}"; do
	forwarded+=",hostfwd=tcp::${ports%%:*}-:${ports##*:}"
done
case $network in
none) nic=(-nic none) ;;
user) nic=(-netdev "user,id=net0$forwarded" -device "virtio-net-pci,netdev=net0$virtio$network_rom") ;;
bridge=*) nic=(-netdev "bridge,id=net0,br=${network#bridge=}" -device "virtio-net-pci,netdev=net0$virtio$network_rom") ;;
esac

devices=()
for index in "${!gpus[@]}"; do
	devices+=(-device "pcie-root-port,id=gpu-port$index,bus=pcie.0,chassis=$((index + 1))"
		-device "vfio-pci,host=${gpus[index]},bus=gpu-port$index,romfile=")
done
# OVMF sets aside as much 64-bit address space as it is told to, in MiB: too little for the memory of a large GPU otherwise.
((${#gpus[@]} == 0)) || devices+=(-fw_cfg "name=opt/ovmf/X-PciMmio64Mb,string=$mmio64")

console=stdio,id=console,signal=on
[[ -z $serial_log ]] || console=file,id=console,path=$(option "$serial_log")

command=(
	"$qemu" -no-user-config -nodefaults -no-reboot -display none
	"${platform[@]}" -smp "$vcpus" -m "$memory_mib"
	-kernel "$image/vmlinuz" -initrd "$image/initrd.img" -append "$cmdline"
	"${disks[@]}" "${keys[@]}" "${nic[@]}" "${devices[@]}"
	-chardev "$console" -serial chardev:console -monitor none
)
if [[ -n $print ]]; then
	quote "${command[@]}"
	exit 0
fi
command -v -- "$qemu" >/dev/null || fail 3 "there is no QEMU: '$qemu'" "sudo apt-get install --yes qemu-system-x86, or name one: --qemu FILE"
# The program ends with the script, and the script with it.
exec "${command[@]}"
