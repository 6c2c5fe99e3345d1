#!/usr/bin/env bash
# Have nvflare.service run a program at the next boot that looks around as the code of a job would, in place of FLARE.
#
# The sandbox stays as it is: only what is started, when, and where its words go is changed. For copies that are made to
# be attacked; never part of an image that is delivered.
#
# Parameters:
#   --tree DIR             the tree to change
#   --python NAME          Python of FLARE, an absolute path in the guest
#   --workspace NAME       workspace of FLARE
#   --site NAME            folder of the tree that becomes the partition of the site, an absolute path in the guest
#   --group NUMBER         group id of FLARE
#   --host NAME            an address outside
#   [--allowed NUMBER]...  a port that may be reached from inside
#   [--forbidden NUMBER]... a port that may not
#   [--take FLAG]          it also takes all it can get: files, threads, memory
#   --score PATH           where the opinion of systemd-analyze on the unit goes; no file where this host has none
# Runs in: namespace
# Network: no
# Output: a drop-in of nvflare.service, the program, a stand-in start-up kit with a private key where the site has none,
#   and the score

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

unit=$tree/usr/lib/systemd/system/nvflare.service
[[ -e $unit ]] || die E_IMAGE "the tree has no nvflare.service" "take a hardened image"
rm -f -- "$score"
# --offline: systemd 250 and newer.
if command -v systemd-analyze >/dev/null && systemd-analyze --help | grep -q -- --offline; then
	systemd-analyze security --offline=true --root="$tree" --no-pager nvflare.service >"$score"
fi

kit=$tree$site/kit/startup
if [[ ! -e $kit ]]; then
	install -d -m 750 -g "$group" "$tree$site/kit" "$kit" "$tree$site/kit/local"
	# No key: the words by which the program finds one.
	printf -- '-----BEGIN PRIVATE KEY-----\nstand-in\n-----END PRIVATE KEY-----\n' >"$kit/client.key"
	chgrp "$group" "$kit/client.key"
	chmod 640 "$kit/client.key"
fi
install -d "$tree/opt/cc-attack" "$tree/etc/systemd/system/nvflare.service.d"
install -m 755 "$scripts_dir/attack/job-probe" "$tree/opt/cc-attack/job-probe"
join() {
	local IFS=,
	printf '%s' "$*"
}
cat >"$tree/etc/systemd/system/nvflare.service.d/cc-job-probe.conf" <<EOF
[Service]
ExecStart=
ExecStart=$python /opt/cc-attack/job-probe $workspace $host "$(join "${allowed[@]}")" "$(join "${forbidden[@]}")" "$take"
# The network answers by itself, some time after the machine is up.
ExecStartPre=/bin/sleep 10
# By the journal: the sandbox lets the service open no device, a console neither.
StandardOutput=journal+console
SyslogIdentifier=job-probe
Restart=no
EOF
