# shellcheck shell=sh
# Whether this machine is a confidential one. Sourced by key sources and by mount-root, after R is set.
#
# This is not what protects a key: a release after attestation is, and the key that the processor derives. It is what
# keeps a program that asks for a key from asking where there is no evidence to show. The folder tsm/report of configfs
# says nothing: it is there as soon as the module is loaded.

# has_snp: AMD SEV-SNP, by the device of the kernel module sev-guest.
has_snp() { [ -e "$R/dev/sev-guest" ]; }

# has_tee: SEV-SNP, or Intel TDX.
has_tee() { has_snp || [ -e "$R/dev/tdx_guest" ]; }
