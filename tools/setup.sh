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

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Whether a release has a package: a name that only others provide or depend on has no candidate.
is_available() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) == *$'\n  Candidate: '[^\(]* ]]; }

# choose LINE: the package of a line of debian-packages.txt that this release has; empty where the line is optional.
choose() {
	local names name
	IFS=' |' read -r -a names <<<"${1%\?}"
	for name in "${names[@]}"; do
		! is_available "$name" || { printf '%s\n' "$name" && return; }
	done
	if [[ $1 == *\? ]]; then
		printf 'left out: this release has no package %s\n' "${names[*]}" >&2
		return
	fi
	printf 'error[E_HOST_TOOL]: this release has no package %s\n  try: add a package source that has it (on Ubuntu: universe)\n' \
		"${names[*]}" >&2
	exit 3
}

# is_satisfied LINE: nothing is to be installed for it. Of several names only the first that the release has counts: another
# may be there for another reason. Without package lists no package has a candidate, so only the first name counts.
is_satisfied() {
	local names name
	IFS=' |' read -r -a names <<<"${1%\?}"
	! is_installed "${names[0]}" || return 0
	is_available apt || return 1
	for name in "${names[@]}"; do
		is_available "$name" || continue
		is_installed "$name"
		return
	done
	[[ $1 == *\? ]]
}

install_packages() {
	local wanted missing=() line name
	command -v apt-get >/dev/null || {
		printf 'error[E_HOST_TOOL]: this script knows Debian and Ubuntu only\n  try: install what tools/debian-packages.txt lists\n' >&2
		exit 3
	}
	mapfile -t wanted < <(grep -v '^#' "$1")
	for line in "${wanted[@]}"; do
		is_satisfied "$line" || missing+=("$line")
	done
	((${#missing[@]})) || return 0
	as_root apt-get -q update
	wanted=("${missing[@]}") missing=()
	for line in "${wanted[@]}"; do
		name=$(choose "$line")
		[[ -z $name ]] || is_installed "$name" || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	printf 'installing %s\n' "${missing[*]}"
	# Only what is missing: apt would also bring whatever has the same source up to date, systemd for its boot stub, say.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Get::Upgrade-By-Source-Package=false \
		install --no-install-recommends "${missing[@]}"
}

install_modules() {
	local stamp="$repository/node_modules/.package-lock.json"
	[[ -e $stamp && ! $repository/package-lock.json -nt $stamp ]] || (cd "$repository" && npm ci --no-audit --no-fund)
	(cd "$repository" && npm run --silent build)
}

# Sourced by its test, it does nothing.
[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0
check_node
# --packages [LIST]: for a machine that gets the rest in another way, with another list of packages.
install_packages "${2-$repository/tools/debian-packages.txt}"
[[ ${1-} == --packages ]] || install_modules
