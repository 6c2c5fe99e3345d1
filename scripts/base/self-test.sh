#!/usr/bin/env bash
# Add a unit to a tree that tells the console what drivers and attestation tools do at the next boot.
#
# For copies that are made to be tested; never part of an image that is delivered.
#
# Parameters:
#   --tree DIR      the tree to change
#   [--venv NAME]   where the attestation SDK is, an absolute path in the guest
# Runs in: namespace
# Network: no
# Output: cc-self-test.service, enabled

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

mkdir -p "$tree/opt/cc-self-test"
cat >"$tree/opt/cc-self-test/run" <<EOF
#!/bin/sh
# Each value is one JSON value; what could break the line is dropped.
venv=$venv
EOF
cat >>"$tree/opt/cc-self-test/run" <<'EOF'
text() { printf '"%s"' "$(printf '%s' "$1" | tr -cd 'A-Za-z0-9_.,:;/=@+() -' | cut -c 1-300)"; }
unit() { text "$(systemctl show --property=ActiveState,Result,ConditionResult --value "$1" 2>/dev/null | tr '\n' ' ')"; }
cd "$(mktemp -d)" || exit 1
driver=$(modinfo -F version nvidia 2>/dev/null)
file=$(modinfo -F filename nvidia 2>/dev/null)
signer=$(modinfo -F signer nvidia 2>/dev/null)
loaded=$(grep -c '^nvidia' /proc/modules)
sev=none
! modinfo sev-guest >/dev/null 2>&1 || sev=$(modinfo -F filename sev-guest)
snpguest=$(/opt/cc/bin/snpguest --version 2>&1 | head -n 1)
sdk=missing
[ -z "$venv" ] || sdk=$("$venv/bin/python" -I -W ignore -c '
import importlib.metadata, nv_attestation_sdk.attestation, verifier.cc_admin
print(importlib.metadata.version("nv-attestation-sdk"))' 2>&1 | tail -n 1)
attest=null status=127
if [ -x /opt/cc/bin/cc-attest ]; then
	attest=$(/opt/cc/bin/cc-attest --nonce "$(printf '%064d' 7)")
	status=$?
fi
cpu=$(/opt/cc/bin/cc-attest --cpu >/dev/null 2>&1; echo $?)
gpu=$(/opt/cc/bin/cc-attest --gpu >/dev/null 2>&1; echo $?)
tools=
for tool in gcc cc make dkms as ld; do ! command -v "$tool" >/dev/null || tools="$tools $tool"; done
state=$(ls /run/cc/gpu 2>/dev/null | tr '\n' ' ')
printf '\nCC-TEST {"kernel":%s,"driver":%s,"file":%s,"signer":%s,"loaded":%s,"sevGuest":%s,"snpguest":%s,"sdk":%s,"attest":%s,"attestStatus":%s,"cpuStatus":%s,"gpuStatus":%s,"tools":%s,"gpuState":%s,"load":%s,"daemon":%s,"ready":%s}\n' \
	"$(text "$(uname -r)")" "$(text "$driver")" "$(text "$file")" "$(text "$signer")" "${loaded:-0}" "$(text "$sev")" \
	"$(text "$snpguest")" "$(text "$sdk")" "$attest" "$status" "$cpu" "$gpu" "$(text "$tools")" "$(text "$state")" \
	"$(unit cc-gpu-load.service)" "$(unit nvidia-persistenced.service)" "$(unit cc-gpu-ready.service)" >/dev/console
EOF
chmod 755 "$tree/opt/cc-self-test/run"
cat >"$tree/usr/lib/systemd/system/cc-self-test.service" <<'EOF'
[Unit]
Description=Tell what drivers and attestation tools do
After=cc-boot-check.service cc-gpu-ready.service

[Service]
Type=oneshot
ExecStart=/opt/cc-self-test/run
TimeoutStartSec=15min

[Install]
WantedBy=multi-user.target
EOF
ln -sfn /usr/lib/systemd/system/cc-self-test.service "$tree/etc/systemd/system/multi-user.target.wants/cc-self-test.service"
