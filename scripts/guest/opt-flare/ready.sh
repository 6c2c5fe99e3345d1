#!/bin/sh
# ready.sh: FLARE was started. The console gets the state and nothing else.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

if [ "$(conf_get "$R/run/cc/boot.conf" profile)" = production ]; then
	say "ready"
	exit 0
fi
read -r uptime _ <"$R/proc/uptime"
printf '\nCC-READY {"version":1,"seconds":%s}\n' "$uptime" >"$R/dev/console"
