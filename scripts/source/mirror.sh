#!/usr/bin/env bash
# Install a minimal system from a package mirror into a new tree.
#
# Parameters:
#   --tree PATH              the tree; must not exist yet
#   --suite NAME             codename of the release: bookworm, noble, ...
#   [--components TEXT]      as in an apt source, such as "main universe"; absent: as the host's own sources have them
#   [--source TEXT]...       apt source line, or a file of them (one-line or deb822); absent: the host's own mirrors
#   [--keyring FILE]         keys that sign the mirror; absent: those of the host for this distribution
#   [--package NAME]...      packages beside the variant's own
#   [--exclude TEXT]...      dpkg path-exclude pattern, such as /usr/share/doc/*
#   [--variant NAME]         mmdebstrap variant; absent: apt
#   [--archives PATH]        directory that keeps the downloaded packages for the next run
#   [--epoch NUMBER]         SOURCE_DATE_EPOCH; absent: 0
# Runs in: namespace
# Network: yes
# Output: PATH, complete or not at all. No device nodes, package lists, sources or apt settings of the host are left in it.

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
# shellcheck source=../lib/apt.sh
. "$scripts_dir/lib/apt.sh"
need mmdebstrap apt-get apt-config

# shellcheck disable=SC2154 # parameters
main() {
	[[ ! -e $tree ]] || die E_STEP_ARGUMENT "--tree: exists already: '$tree'"
	local work=$tree.partial
	rm -rf -- "$work"
	mkdir -p -- "$work"
	local keys=
	# shellcheck disable=SC2064 # the value of now
	trap "rm -rf -- ${work@Q}"' ${keys:+"$keys"}' EXIT
	mkdir -- "$work/tree"

	local options=(--mode=root --variant="${variant:-apt}" --format=directory)
	options+=(--architectures="$(dpkg --print-architecture)" --skip={output/mknod,output/dev,chroot/mount/sys})
	apt_acquire >"$work/acquire.conf"
	options+=(--aptopt="$work/acquire.conf" --aptopt='Acquire::Languages "none"')
	local item
	for item in "${package[@]}"; do options+=(--include="$item"); done
	for item in "${exclude[@]}"; do options+=(--dpkgopt="path-exclude=$item"); done
	# The sources name it: no space, comma or bracket may be in its path, and apt goes by how it ends.
	if [[ -n $keyring && ! $keyring =~ ^[A-Za-z0-9/._+~-]+\.$(apt_key_suffix "$keyring")$ ]]; then
		keys=$(mktemp -d /tmp/cc-keys.XXXXXX)
		chmod 755 "$keys"
		item=$keys/given.$(apt_key_suffix "$keyring")
		cp -- "$keyring" "$item"
		keyring=$item
	fi
	[[ -z $keyring ]] || options+=(--keyring="$keyring")
	if [[ -n $archives ]]; then
		mkdir -p -- "$archives"
		cat >"$work/archives-in" <<-'EOF'
			#!/bin/sh
			# Packages of earlier runs; apt checks every one against the signed index.
			mkdir -p "$1/var/cache/apt/archives"
			find "$CC_ARCHIVES" -maxdepth 1 -name '*.deb' -exec cp --reflink=auto -t "$1/var/cache/apt/archives" {} +
		EOF
		cat >"$work/archives-out" <<-'EOF'
			#!/bin/sh
			find "$1/var/cache/apt/archives" -maxdepth 1 -name '*.deb' -exec cp -n --reflink=auto -t "$CC_ARCHIVES" {} +
		EOF
		chmod +x "$work"/archives-*
		# A hook is a line for the shell: the path comes as a variable, whatever it contains.
		# shellcheck disable=SC2016 # expands in the hook
		options+=(--skip=essential/unlink --setup-hook='"$CC_HOOKS/archives-in" "$1"' --customize-hook='"$CC_HOOKS/archives-out" "$1"')
	fi

	local sources=() lines=()
	for item in "${source[@]}"; do
		if [[ -f $item ]] && grep -q '^Types:' "$item"; then
			deb822_signed "$item" >"$work/${#sources[@]}.sources"
			sources+=("$work/${#sources[@]}.sources")
		else
			read_list lines lines_signed "$item"
			sources+=("${lines[@]}")
		fi
	done
	if ((${#source[@]} == 0)); then
		read_list sources host_lines
	fi
	((${#sources[@]})) || die E_NETWORK "no mirror of this distribution is configured on this host" \
		"name the mirrors: source.mirrors"

	log "from ${sources[*]}"
	if ! SOURCE_DATE_EPOCH=${epoch:-0} CC_ARCHIVES=$archives CC_HOOKS=$work TMPDIR=$work \
		mmdebstrap "${options[@]}" "$suite" "$work/tree" "${sources[@]}" </dev/null 2>&1 | tee "$work/log" >&2; then
		apt_blame "$work/log" "mmdebstrap failed"
	fi
	[[ -x $work/tree/usr/bin/dpkg ]] || die E_PACKAGE "the mirror has no base system of $suite: ${sources[*]}" \
		"name a full mirror, not a pool of a few packages: source.mirrors"
	clean "$work/tree"
	mv -T -- "$work/tree" "$tree"
}

# --keyring has to stand in the sources themselves: mmdebstrap names the host's keys of a known distribution there
# otherwise, and they would be accepted as well.
lines_signed() { # LINE_OR_FILE
	{ if [[ -e $1 ]]; then cat -- "$1"; else printf '%s\n' "$1"; fi; } |
		sed -E -e '/^[[:space:]]*(#|$)/d' \
			${keyring:+-e "/signed-by=/!{s|^(deb[a-z-]*) +\[|\1 [signed-by=$keyring |;t;s|^(deb[a-z-]*) +|\1 [signed-by=$keyring] |}"}
}

# --keyring wins over the key that a source of the host names.
host_lines() { apt_sources "$suite" "$components" | if [[ -n $keyring ]]; then apt_without_key; else cat; fi | lines_signed /dev/stdin; }

deb822_signed() { # FILE
	awk -v RS= -v ORS='\n\n' -v keyring="$keyring" \
		'keyring != "" && !/(^|\n)[Ss]igned-[Bb]y:/ { $0 = $0 "\nSigned-By: " keyring } { print }' "$1"
}

# What mmdebstrap leaves of this host and of this run.
clean() {
	local tree=$1
	rm -f "$tree"/etc/apt/sources.list "$tree"/etc/apt/sources.list.d/* "$tree"/etc/apt/apt.conf.d/99mmdebstrap \
		"$tree"/etc/resolv.conf "$tree"/etc/hostname "$tree"/var/cache/apt/*.bin
	find "$tree" -xdev \( -type b -o -type c \) -delete
	find "$tree/dev" "$tree/run" "$tree/tmp" "$tree/var/tmp" "$tree/var/log" -mindepth 1 -xdev ! -type d -delete
	find "$tree/dev" -mindepth 1 -delete
}

main
