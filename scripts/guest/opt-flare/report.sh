#!/bin/sh
# report.sh: the duties are done. Tells the console: in a development image what is in force, as one line of JSON after
# CC-HARDENED; in production only that it is so. Names, numbers and states only.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

if [ "$(conf_get "$R/run/cc/boot.conf" profile)" = production ]; then
	say "hardened"
	exit 0
fi

text() { printf '"%s"' "$(printf '%s' "$1" | tr -cd 'A-Za-z0-9_.,:/=@+ -')"; }
list() {
	_sep=''
	printf '['
	for _word in "$@"; do
		printf '%s%s' "$_sep" "$(text "$_word")"
		_sep=,
	done
	printf ']'
}
read -r modules <"$R/proc/sys/kernel/modules_disabled"
read -r uptime _ <"$R/proc/uptime"
# shellcheck disable=SC2046 # one word for each rule
printf '\nCC-HARDENED {"version":1,"site":%s,"role":%s,"inbound":%s,"outbound":%s,"mounts":{"input":%s,"output":%s,"log":%s},"lockdown":%s,"modulesLocked":%s,"sysctls":%s,"seconds":%s}\n' \
	"$(text "$(site site)")" "$(text "$(site role)")" "$(list $(site inbound))" "$(list $(site outbound))" \
	"$(text "$(recall input)")" "$(text "$(recall output)")" "$(text "$(recall log)")" "$(text "$(recall lockdown)")" \
	"$([ "$modules" = 1 ] && echo true || echo false)" "$(recall sysctl)" "$uptime" >"$R/dev/console"
