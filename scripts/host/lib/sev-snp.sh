# shellcheck shell=bash
# AMD SEV-SNP: what a host must have, and what QEMU is told. Another platform has a file with the same functions beside
# this one.

# The oldest QEMU that has the object sev-snp-guest, and the place of the C-bit on every processor with SNP
# (CPUID Fn8000_001F EBX). QEMU compares it with the processor and refuses another.
# shellcheck disable=SC2034 # for install_cc_image.sh
platform_qemu=9.1
platform_cbitpos=51
platform_reduced_phys_bits=1

# The GUIDs of the tables that an OVMF of the kind AmdSev has, as bytes: the place for the hashes of kernel, initrd and
# command line, and the SEV metadata (edk2, OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm).
platform_hash_table='\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54'
platform_metadata='\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc'

# platform_check: report what of the host is there. Needs report of install_cc_image.sh.
platform_check() {
	local flags value
	flags=$(grep -m 1 '^flags' /proc/cpuinfo 2>/dev/null) || flags=
	if [[ " $flags " == *' sev_snp '* ]]; then
		report ok processor "it has SEV-SNP"
	else
		report missing processor "this processor has no SEV-SNP, or the firmware of the board hides it" \
			"take an AMD EPYC 7003 or newer; in its firmware set-up enable SMEE, SEV-SNP and the RMP table"
	fi
	value=$(cat /sys/module/kvm_amd/parameters/sev_snp 2>/dev/null) || value=absent
	case $value in
	Y | 1) report ok kernel "kvm_amd has SEV-SNP enabled" ;;
	absent) report missing kernel "the module kvm_amd is not loaded, or knows no SEV-SNP" \
		"take a kernel of 6.11 or newer, then: sudo modprobe kvm_amd sev=1 sev_es=1 sev_snp=1" ;;
	*) report missing kernel "kvm_amd has SEV-SNP disabled: $value" \
		"echo 'options kvm_amd sev=1 sev_es=1 sev_snp=1' | sudo tee /etc/modprobe.d/kvm_amd.conf, and restart the host; dmesg | grep -i -e sev -e rmp says why it stays off" ;;
	esac
	if [[ -c /dev/sev ]]; then
		report ok /dev/sev "the security processor can be used"
	else
		report missing /dev/sev "there is no /dev/sev" "sudo modprobe ccp; dmesg | grep ccp says why it stays away"
	fi
	if [[ -c /dev/kvm && -r /dev/kvm && -w /dev/kvm ]]; then
		report ok /dev/kvm "this user may use it"
	elif [[ -c /dev/kvm ]]; then
		report missing /dev/kvm "this user may not use it" "sudo usermod --append --groups kvm $(id -un), and log in again"
	else
		report missing /dev/kvm "there is no /dev/kvm" "sudo modprobe kvm_amd"
	fi
}

# platform_firmware FILE: why a firmware cannot launch an image, or nothing.
platform_firmware() {
	local found
	if [[ -n $firmware_sha256 ]]; then
		found=$(sha256 "$1")
		[[ $found == "$firmware_sha256" ]] || printf 'it has the sha256 %s, and the expected measurement was made with %s' "$found" "$firmware_sha256"
	elif ! grep -qaP "$platform_hash_table" "$1" || ! grep -qaP "$platform_metadata" "$1"; then
		printf 'it has no table for the hashes of kernel, initrd and command line: it is not of the kind AmdSev'
	fi
}

# platform_words CPU MEMORY POLICY FIRMWARE HOST_DATA: the words of QEMU, as the array platform. Takes id_block and id_auth
# of choose_id_block.
platform_words() {
	local signed=''
	[[ -z $id_block ]] || signed=",id-block=$id_block,id-auth=$id_auth,author-key-enabled=on"
	platform=(
		-machine "q35,confidential-guest-support=tee0,memory-backend=ram0,vmport=off" -accel kvm -cpu "$1"
		-object "memory-backend-memfd,id=ram0,size=$2M,share=on"
		-object "sev-snp-guest,id=tee0,cbitpos=$platform_cbitpos,reduced-phys-bits=$platform_reduced_phys_bits,policy=$3,kernel-hashes=on${5:+,host-data=$(option "$5")}$signed"
		-bios "$4"
	)
}

# platform_xml CPU POLICY HOST_DATA: the elements of a libvirt domain. Takes id_block and id_auth of choose_id_block.
platform_xml() {
	cat <<-END
		  <cpu mode='custom' match='exact' check='none'>
		    <model fallback='forbid'>$(xml "$1")</model>
		  </cpu>
		  <memoryBacking>
		    <source type='memfd'/>
		    <access mode='shared'/>
		  </memoryBacking>
		  <launchSecurity type='sev-snp' kernelHashes='yes'${id_block:+ authorKey='yes'}>
		    <policy>$2</policy>${id_block:+
		    <idBlock>$id_block</idBlock>
		    <idAuth>$id_auth</idAuth>}${3:+
		    <hostData>$(xml "$3")</hostData>}
		  </launchSecurity>
	END
}
