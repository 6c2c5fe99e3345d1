#!/usr/bin/env bash
# Put cc-attest into a tree, with the addresses of the services that an appraisal asks.
#
# Parameters:
#   --tree DIR            the tree to change
#   --guest DIR           the folder scripts/guest of this project
#   --setting TEXT...     a line KEY=VALUE of /etc/cc/attestation.conf
# Runs in: namespace
# Network: no
# Output: /opt/cc/bin/cc-attest, also in the search path; /etc/cc/attestation.conf

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

install -d "$tree/opt/cc/bin" "$tree/opt/cc/lib" "$tree/etc/cc"
install -m 755 "$guest/opt-cc/bin/cc-attest" "$tree/opt/cc/bin/cc-attest"
install -m 644 "$guest/opt-cc/lib/gpu-evidence.py" "$tree/opt/cc/lib/gpu-evidence.py"
for line in "${setting[@]}"; do
	[[ $line =~ ^[a-z-]+=[[:graph:]]*$ ]] || die E_CONFIG "attestation: '$line' is not KEY=VALUE"
done
printf '%s\n' "${setting[@]}" >"$tree/etc/cc/attestation.conf"
ln -sfn /opt/cc/bin/cc-attest "$tree/usr/local/bin/cc-attest"
