#!/bin/sh
# lock_modules.sh: no kernel module can be loaded from here on, so no driver for whatever the host plugs in. After the
# GPU, the firewall and the data disks, whose modules are then there. Cannot be undone before the next boot.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

echo 1 >"$R/proc/sys/kernel/modules_disabled" 2>/dev/null || :
read -r state <"$R/proc/sys/kernel/modules_disabled"
[ "$state" = 1 ] || fail "modules: loading them cannot be forbidden"
remember modules locked
fulfilled lock_modules
