# shellcheck shell=bash
# apt on a tree, from package sources that the tree itself knows nothing of. Sourced after step.sh, tree.sh and apt.sh by
# steps that run in the namespace and have the parameters tree and archives.

# Everything that apt needs for a step lies in the tree's /run, which is a tmpfs of this namespace.
packages_run=/run/cc-packages

# The initrd is made once, at the end of the stage. What Python compiles for itself is removed there.
packages_set_aside=(/usr/sbin/update-initramfs /usr/bin/py3compile)

# packages_begin: mounts, network, and no sources yet. Services must not start.
packages_begin() {
	local run=$tree$packages_run item
	tree_mounts "$tree"
	tree_network "$tree"
	mkdir -p -- "$run/lists/partial" "$run/archives" "$run/trusted" "$run/keys" "$run/pool" "$run/sources.d" \
		"$run/preferences.d" "$archives"
	mount --bind "$archives" "$run/archives"
	mkdir -p "$run/archives/partial"
	: >"$run/sources.list"
	for item in "$tree"/etc/apt/trusted.gpg.d/*.{gpg,asc} "$tree"/usr/share/keyrings/*.gpg; do
		[[ ! -f $item ]] || cp -- "$item" "$run/trusted/"
	done
	# The host knows how the outside is reached; what it knows must not stay in the tree.
	apt_acquire >"$run/apt.conf"
	if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
		cp /etc/ssl/certs/ca-certificates.crt "$run/ca.crt"
		printf 'Acquire::https::CaInfo "%s/ca.crt";\n' "$packages_run" >>"$run/apt.conf"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	for item in "${packages_set_aside[@]}"; do
		in_tree "$tree" dpkg-divert --quiet --local --rename --add "$item"
		ln -sf /bin/true "$tree$item"
	done
}

# packages_end: the tree as a machine would have it.
packages_end() {
	local item
	rm -f "$tree/usr/sbin/policy-rc.d"
	for item in "${packages_set_aside[@]}"; do
		rm -f "$tree$item"
		in_tree "$tree" dpkg-divert --quiet --local --rename --remove "$item"
	done
}

# packages_update: apt-get update. What it downloads is kept beside the archives for the next build from the same
# sources: apt asks then only whether it is the newest, and checks the signatures again.
packages_update() {
	local run=$tree$packages_run kept
	kept=$archives/lists/$(find "$run/sources.list" "$run/sources.d" -type f -exec cat {} + | sha256sum | cut -c 1-16)
	# srcpkgcache is what apt makes of the lists; it finds out by itself whether it still fits.
	[[ ! -d $kept ]] || cp -a -- "$kept/." "$run/"
	apt_tree update
	rm -rf -- "$kept.$$"
	mkdir -p -- "$kept.$$"
	cp -a -- "$run/lists" "$run/srcpkgcache" "$kept.$$/"
	rm -rf -- "$kept"
	mv -T -- "$kept.$$" "$kept" 2>/dev/null || rm -rf -- "$kept.$$"
}

# packages_pool FOLDER SUITE: the pool of an extracted ISO as a source.
packages_pool() {
	local run=$tree$packages_run components
	components=$(cd "$1/dists/$2" && find . -mindepth 2 -maxdepth 2 -name 'binary-*' -printf '%h\n' | sed 's,^\./,,' | sort -u)
	mount --bind -o ro "$1" "$run/pool"
	# check-date: the Release file of an ISO is as old as the ISO.
	printf 'deb [check-date=no] file:%s/pool %s %s\n' "$packages_run" "$2" "${components//$'\n'/ }" >>"$run/sources.list"
}

# packages_source LINE_OR_FILE...: apt sources: lines, or files with such lines or in deb822 format.
packages_source() {
	local run=$tree$packages_run item
	for item in "$@"; do
		if [[ ! -e $item ]]; then
			printf '%s\n' "$item" >>"$run/sources.list"
		elif grep -q '^Types:' "$item"; then
			# apt leaves out a file whose name has other characters than letters, digits and -_. without a word.
			cp -- "$item" "$run/sources.d/given-$(find "$run/sources.d" -type f | wc -l).sources"
		else
			cat -- "$item" >>"$run/sources.list"
		fi
	done
}

# packages_host SUITE COMPONENTS: the host's own sources (apt_sources). A key that one names is a file of the host.
packages_host() {
	local lines line key
	lines=$(apt_sources "$1" "$2")
	while IFS= read -r line; do
		if [[ $line =~ ^deb\ \[signed-by=([^]]*)\]\ (.*)$ ]]; then
			key=${BASH_REMATCH[1]} line="deb ${BASH_REMATCH[2]}"
			packages_signed_source "$line" "$key"
		else
			packages_source "$line"
		fi
	done <<<"$lines"
}

# packages_keyring FILE: a further keyring that may sign every source. Nothing where FILE is empty.
packages_keyring() { [[ -z $1 ]] || cp -- "$1" "$tree$packages_run/trusted/given.$(apt_key_suffix "$1")"; }

# packages_signed_source LINE KEY: a source that only this key may sign, and a key that signs nothing else.
packages_signed_source() {
	local name
	name=key-$(($(find "$tree$packages_run/keys" -type f | wc -l) + 1)).$(apt_key_suffix "$2")
	[[ $1 =~ ^deb[[:space:]]+(\[([^]]*)\][[:space:]]+)?(.*)$ ]] ||
		die E_CONFIG "not an apt source line: '$1'" "write it like: deb https://HOST/PATH SUITE COMPONENT"
	cp -- "$2" "$tree$packages_run/keys/$name"
	printf 'deb [%s] %s\n' "${BASH_REMATCH[2]:+${BASH_REMATCH[2]} }signed-by=$packages_run/keys/$name" "${BASH_REMATCH[3]}" \
		>>"$tree$packages_run/sources.list"
}

# packages_pin TEXT: a stanza of apt_preferences(5).
packages_pin() { printf '%s\n\n' "$1" >>"$tree$packages_run/preferences.d/cc"; }

# packages_apt PROGRAM ARGUMENT...: apt-get or apt-cache in the tree.
packages_apt() {
	local program=$1
	shift
	in_tree "$tree" env "APT_CONFIG=$packages_run/apt.conf" "$program" -q \
		-o "Dir::Etc::SourceList=$packages_run/sources.list" -o "Dir::Etc::SourceParts=$packages_run/sources.d" \
		-o "Dir::Etc::TrustedParts=$packages_run/trusted" -o "Dir::Etc::PreferencesParts=$packages_run/preferences.d" \
		-o "Dir::State::Lists=$packages_run/lists" -o "Dir::Cache::archives=$packages_run/archives" \
		-o "Dir::Cache::pkgcache=$packages_run/pkgcache" -o "Dir::Cache::srcpkgcache=$packages_run/srcpkgcache" \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
		-o APT::Update::Error-Mode=any -o Dpkg::Use-Pty=0 \
		-o DPkg::Options::=--force-unsafe-io -o DPkg::Options::=--force-confold \
		"$@"
}

# apt_tree OPERATION...: apt-get in the tree; its failure in our words.
apt_tree() {
	local log=$tree$packages_run/log
	packages_apt apt-get -y "$@" 2>&1 | tee "$log" >&2 || apt_blame "$log" "apt-get $1 failed"
}

# apt_simulate PACKAGE...: what would be installed, a line "NAME (VERSION" each, sorted.
apt_simulate() {
	local log=$tree$packages_run/log
	packages_apt apt-get --simulate install -- "$@" >"$log" 2>&1 || apt_blame "$log" "apt-get install failed"
	awk '$1 == "Inst" { print $2, $3 }' "$log" | sort
}
