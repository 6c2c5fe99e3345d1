#!/usr/bin/env bash
# Compute the launch digests that an AMD SEV-SNP guest of these boot files must report, one for each number of
# virtual processors and each processor type.
#
# The tool is virtee's sev-snp-measure or virtee's snpguest; it says itself which of them it is. Both follow what QEMU
# does with kernel-hashes=on: firmware, the hashes of kernel, initrd and command line, and the first state of each
# virtual processor.
#
# Parameters:
#   --tool FILE             sev-snp-measure or snpguest
#   --ovmf FILE             the firmware: an OVMF built for SEV with a table for the hashes (OvmfPkg/AmdSev)
#   [--ovmf-sha256 TEXT]    the sha256 that the firmware must have
#   --kernel FILE           the kernel
#   --initrd FILE           the initrd
#   --cmdline TEXT          the kernel command line, as QEMU gets it
#   --vcpus NUMBER...       numbers of virtual processors
#   --cpu-type NAME...      processor types by QEMU's names, for example EPYC-v4
#   --guest-features TEXT   SEV_FEATURES of the guest, for example 0x1
# Runs in: host
# Network: no
# Output: standard output: lines of number, processor type and digest

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

if [[ -n $ovmf_sha256 ]]; then
	found=$(sha256sum <"$ovmf")
	[[ ${found%% *} == "$ovmf_sha256" ]] || die E_SHA256 "$ovmf has the sha256 ${found%% *}, expected $ovmf_sha256" \
		"take the firmware that launch.ovmfSha256 in cc.yaml names, or correct that value"
fi

kind=$("$tool" --version 2>&1) || die E_HOST_TOOL "$tool does not run: ${kind:0:300}" "correct launch.tool in cc.yaml"
case $kind in
snpguest\ *) call=("$tool" generate measurement --output-format hex) ;;
sev-snp-measure\ *) call=("$tool" --mode snp --output-format hex) ;;
*) die E_HOST_TOOL "$tool is neither sev-snp-measure nor snpguest: it says '${kind:0:100}'" "correct launch.tool in cc.yaml" ;;
esac

for type in "${cpu_type[@]}"; do
	for number in "${vcpus[@]}"; do
		digest=$("${call[@]}" --vcpus "$number" --vcpu-type "$type" --ovmf "$ovmf" --kernel "$kernel" --initrd "$initrd" \
			--append "$cmdline" --guest-features "$guest_features" 2>&1) ||
			case $digest in
			*SNP_KERNEL_HASHES*) die E_CONFIG "launch.ovmf: $ovmf has no table for the hashes of kernel, initrd and command line" \
				"take an OVMF of the kind AmdSev, for example OVMF.amdsev.fd" ;;
			*[Vv]cpu-type* | *'invalid choice'* | *[Ii]nvalid*cpu*) die E_CONFIG "launch.cpuTypes: '$type' is not a processor type that ${kind%% *} knows" \
				"take one of QEMU's names, for example EPYC-v4" ;;
			*) die E_STEP_FAILED "${tool##*/} failed for $number virtual processors of type $type: $(end_of "$digest")" ;;
			esac
		digest=${digest#0x}
		[[ $digest =~ ^[0-9a-f]{96}$ ]] || die E_STEP_FAILED "${tool##*/} printed no digest: '${digest:0:200}'"
		printf '%s %s %s\n' "$number" "$type" "$digest"
	done
done
