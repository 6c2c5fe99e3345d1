#!/usr/bin/env bash
# Add a unit to a tree that looks around inside the machine at the next boot, and tells the console what it finds.
#
# For copies that are made to be attacked; never part of an image that is delivered.
#
# Parameters:
#   --tree DIR             the tree to change
#   --canary TEXT          a secret that the machine writes everywhere, and that nobody must find
#   --control TEXT         a text that the machine writes to a disk of the host, which has to be found
#   [--folder NAME]...     where the secret is written besides the usual places, an absolute path in the guest
#   [--sysctl NAME]...     a switch of the kernel that is read back
#   --host-four NAME       address of the host's end of the network
#   --host-six NAME        the same on IPv6
#   [--allowed NUMBER]...  a port that may be reached from inside
#   [--forbidden NUMBER]... a port that may not
# Runs in: namespace
# Network: no
# Output: cc-attack-probe.service, enabled

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

mkdir -p "$tree/opt/cc-attack"
{
	printf '#!/bin/sh\n'
	printf '%s=%q\n' CANARY "$canary" CONTROL "$control" FOLDERS "${folder[*]}" SYSCTLS "${sysctl[*]}" HOST4 "$host_four" HOST6 "$host_six" \
		ALLOWED "${allowed[*]}" FORBIDDEN "${forbidden[*]}"
	tail -n +2 -- "$scripts_dir/attack/probe"
} >"$tree/opt/cc-attack/probe"
chmod 755 "$tree/opt/cc-attack/probe"
cat >"$tree/usr/lib/systemd/system/cc-attack-probe.service" <<'UNIT'
[Unit]
Description=Look around inside the machine
After=cc-boot-check.service cc-hardening-report.service cc-lock-modules.service network.target

[Service]
Type=oneshot
# The network answers by itself, some time after the machine is up.
ExecStartPre=/bin/sleep 10
ExecStart=/opt/cc-attack/probe
TimeoutStartSec=15min

[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
ln -sfn /usr/lib/systemd/system/cc-attack-probe.service "$tree/etc/systemd/system/multi-user.target.wants/cc-attack-probe.service"
