#!/usr/bin/env bash
# Remove from a tree what acts on the host's behalf: agents, cloud-init, snaps, ways in, and what opens the host's disks.
#
# Parameters:
#   --tree DIR           the tree to change
#   [--keep NAME]...     a group of lib/unwanted.txt that stays
#   [--wanted NAME]...   a package that must stay, whatever is removed
#   --guest DIR          the folder scripts/guest of this project
#   --archives PATH      where downloaded packages are kept between builds
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the tree, its packages still complete for a later stage; units masked that would start what is gone

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/apt.sh"
# shellcheck source=../lib/packages.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/packages.sh"
# shellcheck source=../lib/remove.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/remove.sh"
step "$@"
need dpkg-query python3

unwanted_read base
read_list found unwanted_installed "$tree"
names=("${found[@]%% *}")
units="$tree/etc/systemd/system"

# apt and not dpkg: what needs a removed package goes, too, so that a later stage can still install.
if ((${#names[@]} > 0)); then
	packages_begin
	log=$tree$packages_run/log
	hint="leave out what needs it, or keep it in a development image: os.keep"
	packages_apt apt-get --simulate purge -- "${names[@]}" >"$log" 2>&1 || apt_blame "$log" "apt-get purge failed"
	going=$(awk '$1 == "Purg" || $1 == "Remv" { print $2 }' "$log")
	for name in "${wanted[@]}"; do
		! grep -qxF -- "${name%%=*}" <<<"$going" ||
			die E_PACKAGE "'${name%%=*}' is needed, and cannot stay without ${names[*]}" "$hint"
	done
	log "removing ${going//$'\n'/ }"
	packages_apt apt-get -y purge -- "${names[@]}" </dev/null 2>&1 | tee "$log" >&2 || removal_blame "$log" "$hint"
	packages_end
fi
for path in "${unwanted_paths[@]}"; do rm -rf -- "${tree:?}$path"; done

# An installer's network is written by cloud-init at the first boot. What was to have one still gets it, by DHCP.
if [[ -L $units/multi-user.target.wants/systemd-networkd.service ]] &&
	! compgen -G "$tree/etc/systemd/network/*.network" >/dev/null && ! compgen -G "$tree/etc/netplan/*.yaml" >/dev/null; then
	install -D -m 0644 "$guest/hardening/etc/80-cc.network" "$tree/etc/systemd/network/80-cc.network"
fi

mkdir -p "$units"
for unit in "${unwanted_units[@]}"; do ln -sfn /dev/null "$units/$unit"; done
# Sockets, timers and paths of what is masked or gone would fail at boot.
read_list idle python3 -B "$scripts_dir/lib/units.py" idle "$tree"
for unit in "${idle[@]}"; do
	log "masked $unit: what it starts is masked or gone"
	ln -sfn /dev/null "$units/$unit"
done
