#!/usr/bin/env bash
# Make a tree of another release with everything that a build host has: the packages of tools/debian-packages.txt as
# tools/setup.sh chooses them there, Node.js of this machine, and an ordinary user with subordinate ids.
#
# Parameters:
#   --output PATH    the tree; nothing is done where it is there already
#   --suite NAME     codename of a release of Debian
#   --account NAME   the ordinary user
# Runs in: host
# Network: yes
# Output: PATH, complete or not at all. Needs root.

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
# shellcheck source=../../scripts/lib/apt.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/apt.sh"
step "$@"
need mmdebstrap apt-get apt-config node

# shellcheck disable=SC2154 # parameters
make() {
	local work=$output.partial tools sources
	tools=$(readlink -f -- "$(dirname -- "$step_script")/..")
	rm -rf -- "$work"
	mkdir -p -- "$work"
	apt_acquire >"$work/acquire.conf"
	mapfile -t sources < <(apt_sources "$suite" main)
	((${#sources[@]})) || die E_NETWORK "no Debian mirror is configured on this host" "add one to /etc/apt/sources.list"
	mmdebstrap --mode=root --variant=apt --format=directory --include=ca-certificates,debian-archive-keyring,mount,passwd \
		--aptopt="$work/acquire.conf" "$suite" "$work/tree" "${sources[@]}" </dev/null >&2 ||
		die E_PACKAGE "a tree of $suite cannot be made"
	install -m 755 "$(readlink -f -- "$(command -v node)")" "$work/tree/usr/local/bin/node"
	grep -v '^Dir' "$work/acquire.conf" >"$work/tree/etc/apt/apt.conf.d/50host"
	# What only tests and the report of a person need is left out.
	sed '/^# --- to make the stand-in/,$d' "$tools/debian-packages.txt" >"$work/tree/packages.txt"
	bash "$tools/host-matrix/enter.sh" --tree "$work/tree" --bind "$tools" \
		--command bash --command "$tools/setup.sh" --command --packages --command /packages.txt >&2
	bash "$tools/host-matrix/enter.sh" --tree "$work/tree" --command useradd --command --create-home \
		--command --shell --command /bin/bash --command "$account"
	mv -T -- "$work/tree" "$output"
	rm -rf -- "$work"
}

((EUID == 0)) || die E_HOST_TOOL "a tree of another release is made as root" "run it as root"
[[ -x $output/usr/bin/dpkg ]] || make
