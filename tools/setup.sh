#!/usr/bin/env bash
# Install what this repository needs on a Debian or Ubuntu machine: packages and Node modules.
# Nothing is done that has been done before; sudo is asked for only where packages are missing.
set -Eeuo pipefail

repository=$(readlink -f -- "$(dirname -- "${BASH_SOURCE[0]}")/..")

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		printf 'error[E_HOST_TOOL]: this needs root, and there is no sudo: %s\n' "$*" >&2
		exit 3
	fi
}

check_node() {
	node -e 'const [major, minor] = process.versions.node.split(".").map(Number)
		process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' && return
	printf 'error[E_HOST_TOOL]: Node.js %s is too old\n  try: install Node.js 20.19 or newer\n' "$(node --version)" >&2
	exit 3
}

install_packages() {
	local wanted missing=() name
	command -v apt-get >/dev/null || {
		printf 'error[E_HOST_TOOL]: this script knows Debian and Ubuntu only\n  try: install what tools/debian-packages.txt lists\n' >&2
		exit 3
	}
	mapfile -t wanted < <(grep -v '^#' "$repository/tools/debian-packages.txt")
	for name in "${wanted[@]}"; do
		# shellcheck disable=SC2016 # dpkg's own variable
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	printf 'installing %s\n' "${missing[*]}"
	as_root apt-get -q update
	# Only what is missing: apt would also bring whatever has the same source up to date, systemd for its boot stub, say.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Get::Upgrade-By-Source-Package=false \
		install --no-install-recommends "${missing[@]}"
}

install_modules() {
	local stamp="$repository/node_modules/.package-lock.json"
	[[ -e $stamp && ! $repository/package-lock.json -nt $stamp ]] || (cd "$repository" && npm ci --no-audit --no-fund)
	(cd "$repository" && npm run --silent build)
}

check_node
install_packages
install_modules
