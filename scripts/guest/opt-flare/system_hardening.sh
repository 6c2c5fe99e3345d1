#!/bin/sh
# system_hardening.sh: close the machine before its network is there. Calls one duty after the other; the first that
# fails powers the machine off. Called by cc-hardening.service.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

reason=$(site_check) || fail "$reason"
for duty in kernel.sh sysctl.sh accounts.sh memory.sh devices.sh network.sh firewall.sh; do
	"$R/opt/flare/scripts/$duty" || fail "hardening: $duty failed"
done
