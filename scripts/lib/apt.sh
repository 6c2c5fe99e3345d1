# shellcheck shell=bash
# What the host knows about package sources. Sourced after step.sh.

# apt_sources SUITE COMPONENTS: one-line sources for SUITE (a codename) from the mirrors that the host's own apt is
# configured for, with the codename of the host replaced, and with the key that the host's source names.
# Only the archive of the distribution itself is taken, and its suites for the release, updates and security: the host
# also has sources of others, which need keys and access of their own. What is left out is said.
# COMPONENTS ("main contrib") overrides what the host has; empty keeps it.
apt_sources() {
	local suite=$1 components=$2 targets own words entry uri release component key reason order=()
	local -A have=() skipped=()
	own=$(apt_host_codename)
	[[ -n $own ]] || die E_NETWORK "this host has no release codename in /etc/os-release, so its mirrors are unknown" \
		"name the mirrors: source.mirrors"
	targets=$(apt_targets)
	while read -r entry uri release component; do
		[[ -n $entry ]] || continue
		key=$(apt_signed_by "$entry")
		if reason=$(apt_is_foreign "$own" "$uri" "$release" "$component" "$key"); then
			[[ $release != "$own"* || -n ${skipped["$uri $release"]-} ]] || log "not from '$uri' of this host: $reason"
			skipped["$uri $release"]=1
			continue
		fi
		# The key of one release does not sign another.
		[[ $suite == "$own" || $key == *-archive-keyring.* ]] || key=
		words="${key:+[signed-by=$key] }$uri $suite${release#"$own"}"
		[[ -n ${have["$words"]-} ]] || order+=("$words")
		[[ " ${have["$words"]-} " == *" $component "* ]] || have["$words"]+=" $component"
	done <<<"$targets"
	((${#order[@]} > 0)) || return 0
	for words in "${order[@]}"; do
		if [[ -n $components ]]; then have["$words"]=" $components"; fi
		printf 'deb %s%s\n' "$words" "${have["$words"]}"
	done
}

# apt_without_key: source lines on standard input without the key that they name.
apt_without_key() { sed -E 's/^deb \[signed-by=[^]]*\] /deb /'; }

# apt_host_codename: of the distribution whose archive the host uses; of Ubuntu for what is made from it.
apt_host_codename() {
	# shellcheck source=/dev/null
	(. /etc/os-release && case ${ID-} in
	debian | ubuntu) printf %s "${VERSION_CODENAME-}" ;;
	*) printf %s "${UBUNTU_CODENAME:-${DEBIAN_CODENAME:-${VERSION_CODENAME-}}}" ;;
	esac)
}

# apt_targets: a line "FILE:ENTRY URI SUITE COMPONENT" for each source of the host.
# Without release info, apt also lists what it has not downloaded yet. It need not read what it has: that takes a second.
apt_targets() {
	# shellcheck disable=SC2016 # apt expands these, not the shell
	apt-get -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o Dir::State::lists=/nonexistent indextargets --no-release-info \
		--format '$(SOURCESENTRY) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages'
}

# apt_signed_by FILE:ENTRY: what the source names as its key; ENTRY is a line of a list, and a stanza of deb822. A key
# that stands in the source itself becomes "inline".
apt_signed_by() {
	local file=${1%:*} entry=${1##*:}
	[[ -r $file ]] || return 0
	if [[ $file == *.sources ]]; then
		awk -v RS= -v wanted="$entry" '
			NR == wanted {
				count = split($0, lines, "\n")
				for (i = 1; i <= count; i++) if (tolower(lines[i]) ~ /^signed-by:/) {
					value = lines[i]; sub(/^[^:]*:[ \t]*/, "", value); sub(/[ \t]+$/, "", value)
					print value == "" ? "inline" : value
				}
			}' "$file"
	else
		sed -nE "${entry}{s/^deb[a-z-]* +\[[^]]*signed-by=([^] ]+).*/\1/p}" "$file"
	fi
}

# apt_is_foreign CODENAME URI SUITE COMPONENT KEY: succeeds, and says why, where the source is not the distribution's own.
apt_is_foreign() {
	local release=${3%/} file origin
	case $release in
	"$1" | "$1-updates" | "$1-security") ;;
	*) echo "its suite '$3' is not the release, its updates or its security" && return ;;
	esac
	case $4 in
	main | contrib | non-free | non-free-firmware | restricted | universe | multiverse) ;;
	*) echo "the distribution has no component '$4'" && return ;;
	esac
	case ${5##*/} in
	'' | debian-archive-* | ubuntu-archive-*) ;;
	*) echo "it is signed by another key, '$5'" && return ;;
	esac
	# What the archive says of itself, where apt has downloaded it.
	file=${2#*://}
	file=$(apt_lists)/${file//\//_}dists_${release}_
	for file in "$file"InRelease "$file"Release; do
		[[ -r $file ]] || continue
		origin=$(sed -n '/^Origin: */{s///p;q}' "$file")
		case $origin in
		Debian | Ubuntu | '') ;;
		*) echo "its origin is '$origin'" && return ;;
		esac
	done
	return 1
}

# apt_lists: where the host's apt keeps what it has downloaded.
apt_lists() {
	local directory
	eval "$(apt-config shell directory Dir::State::lists/d)"
	printf %s "${directory%/}"
}

# apt_acquire: the host's settings on how to fetch (proxy, certificates, time-outs, credentials), as apt.conf lines.
# mmdebstrap and apt on another root do not read the host's configuration by themselves. A program that finds the proxy
# is asked here, since it is not on the other root.
apt_acquire() {
	local settings program answer uri
	settings=$(apt-config dump --format '%f "%v";%n' Acquire)
	grep -E '^Acquire::(http|https|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv4|ForceIPv6)([:" ]|$)' <<<"$settings" |
		grep -viE '^Acquire::[a-z]+::Proxy-?Auto-?Detect ' | grep -v ' "";$' || true
	program=$(sed -nE 's/^Acquire::http::Proxy-?Auto-?Detect "(.+)";$/\1/Ip' <<<"$settings" | head -n 1)
	if [[ -n $program ]] && ! grep -q '^Acquire::http::Proxy "..*";$' <<<"$settings"; then
		uri=$(apt_targets | awk '{ print $2; exit }')
		if [[ ! -x $program ]]; then
			log "left out: Acquire::http::Proxy-Auto-Detect names '$program', which is not on this host"
		elif answer=$("$program" "$uri" 2>/dev/null </dev/null) && [[ $answer =~ ^(DIRECT|[a-z0-9]+://[^\"[:space:]]+)$ ]]; then
			log "proxy for '$uri', by $program: $answer"
			printf 'Acquire::http::Proxy "%s";\n' "$answer"
		else
			log "left out: '$program' names no proxy for '$uri'"
		fi
	fi
	printf '%s\n' 'Dir::Etc::netrc "/etc/apt/auth.conf";' 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";'
}

# apt_key_suffix FILE: what the name of a keyring has to end with: apt goes by that, and not by what is in it.
apt_key_suffix() { if grep -qam 1 '^-----BEGIN PGP PUBLIC KEY BLOCK' -- "$1"; then echo asc; else echo gpg; fi; }

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
