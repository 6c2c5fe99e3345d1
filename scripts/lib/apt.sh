# shellcheck shell=bash
# What the host knows about package sources. Sourced after step.sh.

# apt_sources SUITE COMPONENTS: one-line sources for SUITE (a codename) from the mirrors that the host's own apt is
# configured for: those of the host's release, with its codename replaced, so that updates and security come along.
# COMPONENTS ("main contrib") overrides what the host has; empty keeps it.
# Without release info, apt also lists what it has not downloaded yet. It need not read what it has: that takes a second.
apt_sources() {
	local suite=$1 components=$2 own
	own=$(. /etc/os-release && printf %s "${VERSION_CODENAME-}")
	[[ -n $own ]] || die E_NETWORK "this host has no release codename in /etc/os-release, so its mirrors are unknown" \
		"name the mirrors: source.mirrors"
	# shellcheck disable=SC2016 # apt expands these, not the shell
	apt-get -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o Dir::State::lists=/nonexistent indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v own="$own" -v suite="$suite" -v wanted="$components" '
			$2 != own && index($2, own "-") != 1 { next }
			{
				key = $1 " " suite substr($2, length(own) + 1)
				if (!(key in have)) { order[++count] = key; have[key] = "" }
				if (index(have[key] " ", " " $3 " ") == 0) have[key] = have[key] " " $3
			}
			END { for (i = 1; i <= count; i++) print "deb " order[i] (wanted == "" ? have[order[i]] : " " wanted) }'
}

# apt_acquire: the host's settings on how to fetch (proxy, certificates, time-outs, credentials), as apt.conf lines.
# mmdebstrap and apt on another root do not read the host's configuration by themselves.
apt_acquire() {
	apt-config dump --format '%f "%v";%n' Acquire |
		grep -E '^Acquire::(http|https|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv4|ForceIPv6)([:" ]|$)' |
		grep -v ' "";$' || true
	printf '%s\n' 'Dir::Etc::netrc "/etc/apt/auth.conf";' 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";'
}

# apt_blame LOG DEFAULT_MESSAGE: fail with the reason found in the output of apt or mmdebstrap.
apt_blame() {
	local log=$1 line
	if line=$(grep -m 1 -oP "(Unable to locate package |Package '?(?=\S+ has no installation candidate))\K[^ ']+" "$log"); then
		die E_PACKAGE "the package sources have no package '$line'" "check the name, or add the source that has it"
	fi
	if line=$(grep -m 1 -A 4 -E 'unmet dependencies|held broken packages' "$log"); then
		die E_PACKAGE "packages do not fit together: ${line//$'\n'/ · }" "leave out the package that conflicts"
	fi
	if line=$(grep -m 1 -oP '^[EW]: \K.*(NO_PUBKEY|EXPKEYSIG|BADSIG|invalid signature|is not signed).*' "$log"); then
		die E_SIGNATURE "the mirror's signature is not accepted: $line" "give the keyring of the archive: source.keyring"
	fi
	if line=$(grep -m 1 -oP "^E: \K(The repository .* does not have a Release file|Failed to fetch .*)" "$log"); then
		die E_NETWORK "$line" "check the network and the mirrors: source.mirrors"
	fi
	if line=$(grep -m 1 -iE 'No space left on device' "$log"); then
		die E_SPACE "$line" "free some space, or choose another place: --work-dir"
	fi
	die E_PACKAGE "$2: $(grep -E '^(E: |dpkg: error)' "$log" | tail -n 3 | paste -sd ' ')" "see the log of this step"
}
