# shellcheck shell=bash
# What install_cc_image.sh looks at: the image against its manifest, and the host.

missing=0 altered=0

# report ok|missing|altered|note WHAT TEXT [FIX]: one line of the list, and the command that mends it.
report() {
	printf '%-8s%s: %s\n' "$1" "$2" "$3"
	[[ -z ${4-} ]] || printf '        fix: %s\n' "$4"
	case $1 in
	missing) missing=$((missing + 1)) ;;
	altered) altered=$((altered + 1)) ;;
	esac
}

# check_image: every file of the manifest, and the content of every partition as it lies on the disk.
check_image() {
	local path file before=$altered
	for path in "${!manifest[@]}"; do
		[[ $path == artefacts/*/sha256 ]] || continue
		file=${path#artefacts/} file=${file%/sha256}
		[[ $file =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] || fail 4 "the manifest names a file that cannot be one of the image: '$file'"
		if [[ ! -f $image/$file ]]; then
			report altered "$file" "it is missing"
		elif [[ $(sha256 "$image/$file") != "${manifest[$path]}" ]]; then
			report altered "$file" "it has another sha256 than in the manifest"
		fi
	done
	for file in install_cc_image.sh launch_cc_image.sh vmlinuz initrd.img cmdline; do
		[[ -n ${manifest["artefacts/$file/sha256"]-} ]] || report altered "$file" "the manifest does not name it"
	done
	[[ -z $shared || $(sha256 "$shared") == "${manifest["shared/sha256"]}" ]] ||
		report altered "${shared##*/}" "it has another sha256 than in the manifest"
	if [[ ! -f $disk ]]; then
		report altered "${disk##*/}" "it is missing"
	elif ! command -v qemu-img >/dev/null; then
		report missing qemu-img "the partitions of the qcow2 cannot be compared" "sudo apt-get install --yes qemu-utils"
	else
		check_partitions
	fi
	((altered > before)) || report ok image "all files and partitions are as in the manifest"
}

# check_partitions: compare every partition in $disk whose content the manifest has.
check_partitions() {
	local index part
	for ((index = 0; ; index++)); do
		part=partitions/$index
		[[ -n ${manifest["$part/name"]-} ]] || break
		[[ -z ${manifest["$part/content/sha256"]-} ]] || check_partition "$part"
	done
}

# check_partition PATH: compare the content of one partition with the manifest.
check_partition() {
	local offset=${manifest["$1/start"]} size=${manifest["$1/content/bytes"]} raw found what
	what="${manifest["$1/name"]} in ${disk##*/}"
	raw=$(mktemp -- "${TMPDIR:-/var/tmp}/cc-image.XXXXXX")
	if found=$(qemu-img convert -O raw --image-opts \
		"driver=raw,offset=$offset,size=$size,file.driver=qcow2,file.file.driver=file,file.file.filename=$(option "$disk")" "$raw" 2>&1); then
		[[ $(sha256 "$raw") == "${manifest["$1/content/sha256"]}" ]] || report altered "$what" "it has another sha256 than in the manifest"
	else
		report altered "$what" "it cannot be read: ${found:0:200}"
	fi
	rm -f -- "$raw"
}

# check_machine: the host, for the machine that was asked for.
check_machine() {
	local digest version
	if [[ ${manifest[measurement]-} == null ]]; then
		report note measurement "the image has no expected measurement: nobody can compare what was launched" \
			"build it with launch.ovmf in cc.yaml"
	else
		digest=$(entry digest)
		if [[ -n $digest ]]; then
			report ok measurement "$digest for $vcpus processors of the type $cpu"
		else
			report missing measurement "there is none for $vcpus processors of the type $cpu" \
				"choose --vcpus and --cpu among those of the manifest, or build the image with launch.vcpus and launch.cpuTypes that have them"
		fi
	fi
	platform_check
	check_iommu
	if ! version=$("$qemu" --version 2>/dev/null); then
		report missing QEMU "there is no '$qemu'" "sudo apt-get install --yes qemu-system-x86"
	elif ! "$qemu" -object help 2>/dev/null | grep -q "^ *${manifest["launch/platform"]}-guest"; then
		[[ $version =~ version\ ([0-9.]+) ]] || true
		report missing QEMU "version ${BASH_REMATCH[1]-unknown} has no object ${manifest["launch/platform"]}-guest" \
			"install QEMU $platform_qemu or newer, as in Ubuntu 25.04 and Debian 13, or name one: --qemu FILE"
	else
		report ok QEMU "${version%%$'\n'*}"
	fi
	check_firmware
	check_memory
	((${#gpus[@]} == 0)) || check_gpus
}

check_iommu() {
	local groups=(/sys/kernel/iommu_groups/*)
	if [[ -e ${groups[0]} ]]; then
		report ok IOMMU "${#groups[@]} groups"
	else
		report missing IOMMU "the IOMMU is off; SEV-SNP needs it" \
			"enable it in the firmware set-up, and do not switch it off on the kernel command line (amd_iommu=off, iommu=off)"
	fi
}

check_firmware() {
	local problem
	if [[ -z $firmware || ! -f $firmware ]]; then
		report missing firmware "there is no OVMF of the kind AmdSev: ${firmware:-looked for ${firmware_places[*]}}" \
			"sudo apt-get install --yes ovmf-amdsev (Debian 14), or build OvmfPkg/AmdSev of edk2, and name it: --ovmf FILE"
		return
	fi
	problem=$(platform_firmware "$firmware")
	if [[ -z $problem ]]; then
		report ok firmware "$firmware"
	else
		report missing firmware "$firmware: $problem" "name the right one: --ovmf FILE"
	fi
}

check_memory() {
	local available
	available=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
	if ((available >= memory_mib)); then
		report ok memory "$memory_mib MiB for the guest, $available MiB are free"
	else
		report missing memory "the guest is to have $memory_mib MiB, and $available MiB are free" "choose less: --memory SIZE"
	fi
}

check_gpus() {
	local address driver mode
	if [[ -c /dev/vfio/vfio ]]; then
		report ok VFIO "devices can be passed through"
	else
		report missing VFIO "there is no /dev/vfio/vfio" "sudo modprobe vfio-pci"
	fi
	for address in "${gpus[@]}"; do
		if [[ ! -e /sys/bus/pci/devices/$address ]]; then
			report missing "GPU $address" "there is no such device" "lspci -Dnn -d 10de: lists the GPUs"
			continue
		fi
		driver=$(readlink -- "/sys/bus/pci/devices/$address/driver") || driver=none
		if [[ ${driver##*/} == vfio-pci ]]; then
			report ok "GPU $address" "it is bound to vfio-pci"
		else
			report missing "GPU $address" "it is bound to ${driver##*/}" \
				"sudo modprobe vfio-pci; echo vfio-pci | sudo tee /sys/bus/pci/devices/$address/driver_override; echo $address | sudo tee /sys/bus/pci/devices/$address/driver/unbind; echo $address | sudo tee /sys/bus/pci/drivers_probe"
		fi
		if [[ ! -f $gpu_tools ]]; then
			report missing "GPU $address mode" "it is not known whether it is in confidential-computing mode" \
				"get NVIDIA's gpu-admin-tools, and name it: --gpu-admin-tools /PATH/nvidia_gpu_tools.py"
		elif ! mode=$(python3 "$gpu_tools" --devices "${address#*:}" --query-cc-mode 2>&1); then
			report missing "GPU $address mode" "it cannot be asked: ${mode##*$'\n'}" "run as root: python3 $(quote "$gpu_tools") --devices ${address#*:} --query-cc-mode"
		elif [[ $mode =~ CC\ mode\ is\ on([^a-z]|$) ]]; then
			report ok "GPU $address mode" "confidential computing is on"
		else
			# devtools is a mode, too, in which debuggers can look in: only "on" is right.
			[[ $mode =~ CC\ mode\ is\ ([a-z]+) ]] || true
			report missing "GPU $address mode" "confidential computing is ${BASH_REMATCH[1]-unknown}" \
				"sudo python3 $(quote "$gpu_tools") --devices ${address#*:} --set-cc-mode=on --reset-after-cc-mode-switch"
		fi
	done
}
