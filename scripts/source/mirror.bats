#!/usr/bin/env bats
# What mirror.sh asks of apt and mmdebstrap, what it says when they fail, and one real installation.

load ../test/lib.bash

setup() { setup_user; }
teardown() { remove_trees; }

put() { as_user tee "$dir/$1" >/dev/null; }

# apt_function NAME ARGUMENT...: a function of lib/apt.sh with the host's apt configuration replaced by $dir/apt.conf.
apt_function() {
	# shellcheck disable=SC2016
	run as_user env APT_CONFIG="$dir/apt.conf" bash -Eeuo pipefail -c '
		die() { echo "error[$1]: $2"; exit 1; }
		log() { echo "$*"; }
		. "$1"; "${@:2}"' - "$source_dir/../lib/apt.sh" "$@"
}

@test "the host's mirrors of its own release are used, with the release replaced" {
	# shellcheck source=/dev/null
	own=$(. /etc/os-release && echo "$VERSION_CODENAME")
	put apt.conf <<<"Dir::Etc::SourceParts \"$dir/parts\"; Dir::Etc::SourceList \"$dir/sources.list\";"
	as_user mkdir "$dir/parts"
	put sources.list <<-EOF
		deb [arch=amd64] http://one.test/debian $own main contrib
		deb http://other.test/apt stable main
		# deb http://comment.test/debian $own main
	EOF
	put parts/x.sources <<-EOF
		Types: deb
		URIs: http://two.test/security
		Suites: $own-security
		Components: main

		Types: deb
		Enabled: no
		URIs: http://disabled.test/
		Suites: $own
		Components: main
	EOF
	apt_function apt_sources next ''
	equal "$(sort <<<"$output")" $'deb http://one.test/debian/ next main contrib\ndeb http://two.test/security/ next-security main'
	apt_function apt_sources next 'main universe'
	equal "$(sort <<<"$output")" $'deb http://one.test/debian/ next main universe\ndeb http://two.test/security/ next-security main universe'
}

# own_sources: nothing but the sources that the test makes.
own_sources() {
	# shellcheck source=/dev/null
	own=$(. /etc/os-release && echo "$VERSION_CODENAME")
	put apt.conf <<<"Dir::Etc::SourceParts \"$dir/parts\"; Dir::Etc::SourceList \"$dir/sources.list\"; Dir::State::lists \"$dir/lists\";"
	as_user mkdir "$dir/parts" "$dir/lists"
}

@test "only the distribution's own archive is taken: no third party, no other suite, no other component" {
	own_sources
	put sources.list <<-EOF
		deb http://own.test/debian $own main
		deb http://own.test/debian $own-updates main
		deb http://own.test/debian $own-backports main
		deb http://own.test/debian $own-proposed main
		deb http://docker.test/linux/debian $own stable
		deb [arch=amd64 signed-by=/usr/share/keyrings/microsoft.gpg] http://microsoft.test/debian $own main
		deb http://esm.test/apps/ubuntu $own-apps-security main
		deb http://origin.test/debian $own main
	EOF
	put parts/inline.sources <<-EOF
		Types: deb
		URIs: http://inline.test/debian
		Suites: $own
		Components: main
		Signed-By:
		 -----BEGIN PGP PUBLIC KEY BLOCK-----
		 .
		 mDMEYCQjIxYJKwYBBAHaRw8BAQdAD
		 -----END PGP PUBLIC KEY BLOCK-----
	EOF
	put "lists/origin.test_debian_dists_${own}_InRelease" <<<$'Origin: Somebody\nLabel: Debian\n'
	put "lists/own.test_debian_dists_${own}_InRelease" <<<$'Origin: Debian\nLabel: Debian\n'
	apt_function apt_sources next ''
	equal "$(grep '^deb' <<<"$output" | sort)" $'deb http://own.test/debian/ next main\ndeb http://own.test/debian/ next-updates main'
	for text in "docker.test/linux/debian/' of this host: the distribution has no component 'stable'" \
		"microsoft.test/debian/' of this host: it is signed by another key, '/usr/share/keyrings/microsoft.gpg'" \
		"inline.test/debian/' of this host: it is signed by another key, 'inline'" \
		"origin.test/debian/' of this host: its origin is 'Somebody'" "its suite '$own-backports' is not"; do
		[[ $output == *"$text"* ]] || { echo "no: $text in $output" && false; }
	done
}

@test "a source of the host keeps its key; that of one release is not used for another" {
	own_sources
	put sources.list <<-EOF
		deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://one.test/debian $own main
		deb [signed-by=/usr/share/keyrings/debian-archive-$own-stable.gpg] http://two.test/debian $own main
	EOF
	put parts/three.sources <<-EOF
		Types: deb
		URIs: http://zero.test/debian
		Suites: $own-security
		Components: main

		Types: deb
		URIs: http://three.test/debian
		Suites: $own-updates
		Components: main
		signed-by: /usr/share/keyrings/ubuntu-archive-keyring.pgp
	EOF
	apt_function apt_sources "$own" ''
	equal "$(sort <<<"$output")" "$(
		sort <<-EOF
			deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://one.test/debian/ $own main
			deb [signed-by=/usr/share/keyrings/debian-archive-$own-stable.gpg] http://two.test/debian/ $own main
			deb http://zero.test/debian/ $own-security main
			deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.pgp] http://three.test/debian/ $own-updates main
		EOF
	)"
	apt_function apt_sources next ''
	[[ $output == *"deb http://two.test/debian/ next main"* && $output == *"[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://one.test"* ]]
}

@test "the program that finds the proxy is asked here, or left out where it is not there" {
	own_sources
	put sources.list <<<"deb http://own.test/debian $own main"
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\necho "http://found.test:3142/for?$1"\n' | put find-proxy
	as_user chmod +x "$dir/find-proxy"
	for name in Proxy-Auto-Detect ProxyAutoDetect; do
		sed -i '/Detect/d' "$dir/apt.conf"
		echo "Acquire::http::$name \"$dir/find-proxy\";" >>"$dir/apt.conf"
		apt_function apt_acquire
		[[ $output == *'Acquire::http::Proxy "http://found.test:3142/for?http://own.test/debian/";'* && $output != *Detect* ]]
	done
	as_user rm "$dir/find-proxy"
	apt_function apt_acquire
	[[ $output == *"names '$dir/find-proxy', which is not on this host"* && $output != *'Acquire::http::Proxy "'* ]]
}

@test "the host's proxy is passed on" {
	put apt.conf <<<'Acquire::http::Proxy "http://proxy.test:3142"; Acquire::https::CaInfo "/x y"; Acquire::Languages "de";'
	apt_function apt_acquire
	[[ $output == *'Acquire::http::Proxy "http://proxy.test:3142";'* && $output == *'Acquire::https::CaInfo "/x y";'* ]]
	[[ $output != *Languages* ]]
}

@test "the reason for a failure is found in the output of apt" {
	blame() {
		put log
		apt_function apt_blame "$dir/log" failed
		failed_with "$@"
	}
	blame E_PACKAGE "no package 'foo'" <<<'E: Unable to locate package foo'
	blame E_PACKAGE "no package 'bar'" <<<"E: Package 'bar' has no installation candidate"
	blame E_SIGNATURE 'NO_PUBKEY 1234' <<<'W: GPG error: http://x InRelease: not available: NO_PUBKEY 1234'
	blame E_NETWORK "Could not connect" <<<$'Ign:1 http://x\nE: Failed to fetch http://x/InRelease  Could not connect to x'
	blame E_SPACE 'No space left' <<<'dpkg: error: cannot write: No space left on device'
	blame E_PACKAGE 'failed: E: something else' <<<$'I: working\nE: something else'
}

@test "a mirror that is not there, not whole or not signed leaves nothing behind" {
	step mirror --tree "$dir/tree" --suite bookworm --source "deb copy:$dir/none bookworm main"
	failed_with E_NETWORK "$dir/none bookworm Release"

	as_user mkdir -p "$dir/repo/dists/bookworm/main/binary-amd64"
	printf '%s\n' 'Package: x' 'Version: 1' 'Architecture: all' 'Filename: x.deb' 'Size: 1' "SHA256: $(printf '0%.0s' {1..64})" |
		put repo/dists/bookworm/main/binary-amd64/Packages
	apt-ftparchive -o APT::FTPArchive::Release::Codename=bookworm release "$dir/repo/dists/bookworm" | put Release
	as_user mv "$dir/Release" "$dir/repo/dists/bookworm/Release"
	put sources <<<"deb copy:$dir/repo bookworm main"
	step mirror --tree "$dir/tree" --suite bookworm --source "$dir/sources"
	failed_with E_SIGNATURE "is not signed"
	step mirror --tree "$dir/tree" --suite bookworm --source "deb [trusted=yes] copy:$dir/repo bookworm main"
	failed_with E_PACKAGE "no base system of bookworm"
	equal "$(ls "$dir")" $'repo\nsources'
}

@test "the keyring stands in every source, and none is left in the tree" {
	put keys.gpg </dev/null
	put two.sources <<-EOF
		Types: deb
		URIs: copy:$dir/a
		Suites: bookworm
		Components: main

		Types: deb
		URIs: copy:$dir/b
		Suites: bookworm
		Components: main
		Signed-By: $dir/b.gpg
	EOF
	step mirror --tree "$dir/tree" --suite bookworm --keyring "$dir/keys.gpg" --source "$dir/two.sources" \
		--source "deb copy:$dir/c bookworm main" --source "deb [arch=amd64] copy:$dir/d bookworm main" \
		--source "deb [signed-by=$dir/own.gpg] copy:$dir/e bookworm main"
	[[ $output == *"deb [signed-by=$dir/keys.gpg] copy:$dir/c "* && $output == *"deb [signed-by=$dir/keys.gpg arch=amd64] copy:$dir/d "* ]]
	[[ $output == *"deb [signed-by=$dir/own.gpg] copy:$dir/e "* ]]
}

@test "a keyring by a name that a source cannot have is copied, and the copy is removed" {
	put 'my keys, [a].kbx' </dev/null
	step mirror --tree "$dir/tree" --suite bookworm --keyring "$dir/my keys, [a].kbx" --source "deb copy:$dir/c bookworm main"
	[[ $output =~ "deb [signed-by="(/tmp/cc-keys\.[A-Za-z0-9]+)"/given.gpg] copy:$dir/c " ]]
	[[ ! -e ${BASH_REMATCH[1]} ]]
}

@test "a real system from the host's mirror, without privilege, whatever the names of the folders" {
	# shellcheck source=/dev/null
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	# shellcheck disable=SC2016 # a name
	as_user mkdir "$dir/my \$build,a:b's"
	dir+="/my \$build,a:b's"
	step mirror --tree "$dir/tree" --suite "$suite" --variant essential --archives "$dir/archives"
	((status == 0)) || { echo "$output" | tail -n 20 && false; }
	[[ -x $dir/tree/usr/bin/dpkg && -n $(ls "$dir/archives") && ! -e $dir/tree.partial ]]
	equal "$(in_namespace find "$dir/tree" \( -type b -o -type c -o -path '*/apt/sources.list*' -type f -o -name '99mmdebstrap' \
		-o -path '*/etc/resolv.conf' -o -path '*/archives/*.deb' -o -path '*/dev/*' \))" ''
	equal "$(in_namespace stat -c '%u:%g %a' "$dir/tree/var/mail")" '0:8 2775'
}
