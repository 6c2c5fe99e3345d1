#!/usr/bin/env bash
# Let a tree load the driver of an SEV-SNP guest at boot.
#
# Parameters:
#   --tree DIR           the tree to change
#   [--needed FLAG]    fail where the kernel of the tree does not have it
#   [--kernels TEXT]     packages of kernels that have it, for the message
# Runs in: namespace
# Network: no
# Output: /etc/modules-load.d/cc-sev-guest.conf where the driver is a module

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/dkms.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/dkms.sh"
step "$@"

kernel=$(kernel_of "$tree")
modules=$tree/lib/modules/$kernel
if [[ -n $(find "$modules" -name 'sev-guest.ko*' -print -quit) ]]; then
	# Without SEV-SNP the driver finds no device, which systemd-modules-load takes as no failure.
	printf 'sev-guest\n' >"$tree/etc/modules-load.d/cc-sev-guest.conf"
	log "kernel $kernel has sev-guest as a module"
elif grep -qs '/sev-guest\.ko' "$modules/modules.builtin"; then
	log "kernel $kernel has sev-guest built in"
elif [[ -n $needed ]]; then
	die E_PACKAGE "kernel $kernel has no sev-guest: it can give no attestation report" "set os.kernel to one that has it: ${kernels:-none is known}"
else
	log "kernel $kernel has no sev-guest: this image can give no attestation report; kernels that have it: ${kernels:-none is known}"
fi
