# shellcheck shell=bash
# What install_cc_image.sh writes: the image in its place, a systemd unit, a libvirt domain.

# install_image: copy the image, and put it into its place with a rename. An image that is there is kept beside it.
install_image() {
	local partial=${target%/*}/.${target##*/}.partial file path message
	[[ -z ${manifest["shared/name"]-} ]] || command -v qemu-img >/dev/null ||
		fail 3 "$name shares its root with other images, and there is no qemu-img to make one file of them" "sudo apt-get install --yes qemu-utils"
	mkdir -p -- "${target%/*}" 2>/dev/null || fail 3 "cannot make the folder '${target%/*}'" "run as root, or choose another: --to DIR"
	rm -rf -- "$partial"
	mkdir -m 0755 -- "$partial" 2>/dev/null || fail 3 "cannot write in '${target%/*}'" "run as root, or choose another: --to DIR"
	trap 'rm -rf -- "$partial"; fail 1 "line $LINENO: exit status $? from: $BASH_COMMAND"' ERR
	trap 'rm -rf -- "$partial"; exit 130' INT TERM HUP
	message=$(copy_disk "$partial" 2>&1) ||
		{ rm -rf -- "$partial" && fail 1 "$disk could not be copied to ${target%/*}: ${message##*$'\n'}" "free some space, or take an unaltered copy of the image"; }
	cp -- "$statements"/* "$partial/"
	! command -v qemu-img >/dev/null || disk=$partial/${disk##*/} check_partitions
	((altered == 0)) || { rm -rf -- "$partial" && fail 4 "${disk##*/} changed while it was copied"; }
	for path in "${!manifest[@]}"; do
		[[ $path == artefacts/*/sha256 ]] || continue
		file=${path#artefacts/} file=${file%/sha256}
		cp --preserve=mode -- "$image/$file" "$partial/"
		# What was compared is what was copied.
		[[ $(sha256 "$partial/$file") == "${manifest[$path]}" ]] || { rm -rf -- "$partial" && fail 4 "$file changed while it was copied"; }
	done
	if [[ $root_key_source == development ]]; then
		mkdir -m 0700 -- "$partial/keys"
		install -m 0600 -- "$image/keys/root.key" "$partial/keys/root.key"
	fi
	sync -f -- "$partial"
	if [[ -e $target ]]; then
		rm -rf -- "$target.previous"
		mv -T -- "$target" "$target.previous"
	fi
	mv -T -- "$partial" "$target"
	trap 'fail 1 "line $LINENO: exit status $? from: $BASH_COMMAND"' ERR
	trap - INT TERM HUP
}

# copy_disk FOLDER: an installed image is self-contained, also where it shared its root before.
copy_disk() {
	if [[ -n $shared ]]; then
		qemu-img convert -f qcow2 -O qcow2 -- "$disk" "$1/${disk##*/}" &&
			qemu-img compare -q -f qcow2 -F qcow2 -- "$disk" "$1/${disk##*/}"
	else
		cp --sparse=always -- "$disk" "$1/"
	fi
}

# write_file FILE FUNCTION: what the function prints, at once.
write_file() {
	"$2" >"$1.partial" || fail 1 "$1 could not be written"
	mv -- "$1.partial" "$1"
}

# launch_options: the machine as options of launch_cc_image.sh, as the array options.
launch_options() {
	local value
	options=(--vcpus "$vcpus" --cpu "$cpu" --memory "${memory_mib}M" --network "$network")
	for value in "${forwards[@]}"; do options+=(--forward "$value"); done
	for value in "${gpus[@]}"; do options+=(--gpu "$value"); done
	((${#gpus[@]} == 0)) || options+=(--mmio64 "$mmio64")
	[[ -z $input ]] || options+=(--input "$input")
	[[ -z $output ]] || options+=(--output "$output")
	[[ -z $log ]] || options+=(--log "$log")
	[[ -z $host_data ]] || options+=(--host-data "$host_data")
	[[ -z $firmware ]] || options+=(--ovmf "$firmware")
	[[ $qemu == qemu-system-x86_64 ]] || options+=(--qemu "$qemu")
}

# unit_word WORD: as an argument of ExecStart=: quoted, and with what systemd would replace doubled.
unit_word() {
	local word=${1//%/%%}
	printf ' "%s"' "${word//\$/\$\$}"
}

systemd_unit() {
	local options word start
	launch_options
	start=$(unit_word "$target/launch_cc_image.sh")
	for word in "${options[@]}"; do start+=$(unit_word "$word"); done
	cat <<-END
		[Unit]
		Description=Confidential virtual machine $name
		After=network-online.target
		Wants=network-online.target

		[Service]
		ExecStart=${start# }
		# A guest that fails its own checks powers off at once: not again and again.
		Restart=no
		KillMode=mixed
		TimeoutStopSec=30
		NoNewPrivileges=$([[ $network == bridge=* ]] && printf no || printf yes)
		PrivateTmp=yes

		[Install]
		WantedBy=multi-user.target
	END
}

# xml TEXT: as text or attribute of XML.
xml() {
	local text=${1//&/&amp;}
	text=${text//</&lt;}
	text=${text//>/&gt;}
	printf '%s' "${text//\'/&apos;}"
}

# xml_disk FILE SERIAL FORMAT TARGET [ELEMENT]
xml_disk() {
	local kind=file attribute=file
	[[ $1 != /dev/* ]] || { kind=block && attribute=dev; }
	cat <<-END
		    <disk type='$kind' device='disk'>
		      <driver name='qemu' type='$3' iommu='on'/>
		      <source $attribute='$(xml "$1")'/>
		      <target dev='$4' bus='virtio'/>
		      <serial>$2</serial>${5:+
		      $5}
		    </disk>
	END
}

libvirt_domain() {
	local address format arguments=''
	[[ $profile == production || $root_key_source != development ]] ||
		arguments="<qemu:arg value='-fw_cfg'/><qemu:arg value='$(xml "name=opt/cc/keys/cc-root,file=$(option "$target/keys/root.key")")'/>"
	((${#gpus[@]} == 0)) || arguments+="<qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/ovmf/X-PciMmio64Mb,string=$mmio64'/>"
	cat <<-END
		<domain type='kvm'${arguments:+ xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'}>
		  <name>$name</name>
		  <memory unit='MiB'>$memory_mib</memory>
		  <vcpu>$vcpus</vcpu>
		  <os>
		    <type arch='x86_64' machine='q35'>hvm</type>
		    <loader type='rom'>$(xml "$firmware")</loader>
		    <kernel>$(xml "$target/vmlinuz")</kernel>
		    <initrd>$(xml "$target/initrd.img")</initrd>
		    <cmdline>$(xml "${manifest[cmdline]}")</cmdline>
		  </os>
		  <features>
		    <acpi/>
		    <apic/>
		  </features>
		  <on_reboot>destroy</on_reboot>
	END
	choose_id_block
	platform_xml "$cpu" "$policy" "$host_data"
	printf '  <devices>\n    <emulator>%s</emulator>\n' "$(xml "$(command -v -- "$qemu" || printf %s "$qemu")")"
	xml_disk "$target/$name.qcow2" cc-disk qcow2 vda
	if [[ -n $input ]]; then
		format=$(format_of "$input") || exit
		xml_disk "$input" nvflare-input "$format" vdb '<readonly/>'
	fi
	if [[ -n $output ]]; then
		format=$(format_of "$output") || exit
		xml_disk "$output" nvflare-output "$format" vdc
	fi
	[[ -z $log ]] || xml_disk "$log" nvflare-log raw vdd
	case $network in
	user) printf "    <interface type='user'>\n      <model type='virtio'/>\n      <driver iommu='on'/>\n      <rom enabled='no'/>\n    </interface>\n" ;;
	bridge=*) printf "    <interface type='bridge'>\n      <source bridge='%s'/>\n      <model type='virtio'/>\n      <driver iommu='on'/>\n      <rom enabled='no'/>\n    </interface>\n" "${network#bridge=}" ;;
	esac
	for address in "${gpus[@]}"; do
		cat <<-END
			    <hostdev mode='subsystem' type='pci' managed='no'>
			      <source>
			        <address domain='0x${address:0:4}' bus='0x${address:5:2}' slot='0x${address:8:2}' function='0x${address:11:1}'/>
			      </source>
			      <rom enabled='no'/>
			    </hostdev>
		END
	done
	printf "    <serial type='pty'/>\n    <memballoon model='none'/>\n  </devices>\n"
	[[ -z $arguments ]] || printf '  <qemu:commandline>%s</qemu:commandline>\n' "$arguments"
	printf '</domain>\n'
}
