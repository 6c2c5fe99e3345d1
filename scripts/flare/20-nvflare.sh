#!/usr/bin/env bash
# Install NVIDIA FLARE into a virtual environment of the tree's own Python.
#
# Parameters:
#   --tree DIR                   the tree to change
#   --venv NAME                  where the environment is, an absolute path in the guest
#   --requirement TEXT...        a line of a requirements file, for example nvflare==2.9.0
#   [--index-url TEXT]           the package index; pip's own, or the one that this host is configured for, when absent
#   [--extra-index-url TEXT]...  further indexes
#   [--find-links DIR]...        folders with wheels
#   [--wheel FILE]...            wheels to install by themselves
#   --cache PATH                 where pip keeps what it downloaded between builds
#   --lock NAME                  what was installed, as pip reports it: an absolute path in the guest
#   --source-date-epoch NUMBER   the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package indexes
# Output: the environment and the lock in the tree

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

# What pip needs for this step lies in the tree's /run, which is a tmpfs of this namespace.
run="$tree/run/cc-pip"

# share FOLDER NAME: let the tree see a folder of the host, read-only.
share() {
	mkdir -p "$run/$2"
	mount --bind -o ro "$1" "$run/$2"
}

# blame LOG: pip's failure in our words. Without a network pip says that there is no such version, so look for that first.
blame() {
	local log=$1 line
	if line=$(grep -m 1 -oE '(NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError|SSLError|Temporary failure in name resolution|Connection refused|Max retries exceeded).*' "$log"); then
		die E_NETWORK "the package index cannot be reached: ${line:0:200}" "check the network, or flare.indexUrl in cc.yaml"
	fi
	if line=$(grep -m 1 -A 6 'DO NOT MATCH THE HASHES' "$log"); then
		die E_SHA256 "a package does not have the hash that was asked for: $(tr '\n' ' ' <<<"$line")" "check the hashes in the requirements"
	fi
	if line=$(grep -m 1 -oE '(No matching distribution found for|Could not find a version that satisfies the requirement) .*' "$log"); then
		die E_PACKAGE "$line" "name a version that the index has: flare.requirements in cc.yaml"
	fi
	line=$(grep -m 1 -oE 'No space left on device.*' "$log") && die E_SPACE "$line" "free some space, or choose another --work-dir"
	line=$(grep -m 1 '^ERROR: ' "$log") || line="exit status of pip"
	die E_PACKAGE "pip failed: ${line#ERROR: }" "see the log of this step"
}

[[ -x $tree/usr/bin/python3 ]] || die E_PACKAGE "the tree has no python3" "add it: flare.packages in cc.yaml"
tree_mounts "$tree"
tree_network "$tree"
mkdir -p "$run" "$cache"
mkdir "$run/cache"
mount --bind "$cache" "$run/cache"

options=(--no-compile --no-warn-script-location --disable-pip-version-check --report /run/cc-pip/report.json)
for index in "${!find_links[@]}"; do
	share "${find_links[index]}" "links-$index"
	options+=(--find-links "/run/cc-pip/links-$index")
done
for url in "${extra_index_url[@]}"; do options+=(--extra-index-url "$url"); done
[[ -z $index_url ]] || options+=(--index-url "$index_url")
mkdir "$run/wheels"
for file in "${wheel[@]}"; do
	cp -- "$file" "$run/wheels/"
	requirement+=("/run/cc-pip/wheels/${file##*/}")
done
# A file, since hashes are not taken from the command line.
printf '%s\n' "${requirement[@]}" >"$run/requirements.txt"

# How this host reaches the index: its pip configuration and its certificates.
environment=(PIP_CACHE_DIR=/run/cc-pip/cache PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore)
: >"$run/pip.conf"
[[ ! -r /etc/pip.conf ]] || cat /etc/pip.conf >"$run/pip.conf"
environment+=(PIP_CONFIG_FILE=/run/cc-pip/pip.conf)
if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
	cp /etc/ssl/certs/ca-certificates.crt "$run/ca.crt"
	environment+=(PIP_CERT=/run/cc-pip/ca.crt)
fi

in_tree "$tree" python3 -m venv --clear "$venv" >"$run/venv.log" 2>&1 ||
	die E_PACKAGE "python3 -m venv: $(tail -n 1 "$run/venv.log")" "the tree needs python3-venv: flare.packages in cc.yaml"
log "pip install ${requirement[*]}"
in_tree "$tree" env "${environment[@]}" "$venv/bin/pip" install "${options[@]}" -r /run/cc-pip/requirements.txt 2>&1 |
	tee "$run/log" >&2 || blame "$run/log"
mkdir -p "$(dirname -- "$tree$lock")"
python3 "$scripts_dir/lib/pip-lock.py" <"$run/report.json" >"$tree$lock"
