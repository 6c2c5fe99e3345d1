# shellcheck shell=bash
# pip in a virtual environment of a tree. Sourced after step.sh and tree.sh, in steps that run in the namespace; they
# call pip_open, add to the array pip_options, and call pip_install. What pip needs lies in the tree's /run, which is a
# tmpfs of this namespace.

# pip_open TREE CACHE: mounts, name resolution, and how this host reaches the package index: its pip configuration and
# its certificates. CACHE is where downloads are kept between builds.
pip_open() {
	pip_tree=$1 pip_run="$1/run/cc-pip"
	[[ -x $pip_tree/usr/bin/python3 ]] || die E_PACKAGE "the tree has no python3" "add it: flare.packages in cc.yaml"
	tree_mounts "$pip_tree"
	tree_network "$pip_tree"
	mkdir -p "$pip_run/cache" "$2"
	mount --bind "$2" "$pip_run/cache"
	pip_environment=(PIP_CACHE_DIR=/run/cc-pip/cache PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore)
	: >"$pip_run/pip.conf"
	[[ ! -r /etc/pip.conf ]] || cat /etc/pip.conf >"$pip_run/pip.conf"
	pip_environment+=(PIP_CONFIG_FILE=/run/cc-pip/pip.conf)
	if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
		cp /etc/ssl/certs/ca-certificates.crt "$pip_run/ca.crt"
		pip_environment+=(PIP_CERT=/run/cc-pip/ca.crt)
	fi
	pip_options=(--no-compile --no-warn-script-location --disable-pip-version-check --report /run/cc-pip/report.json)
}

# pip_share FOLDER NAME: let the tree see a folder of the host, read-only, as /run/cc-pip/NAME.
pip_share() {
	mkdir -p "$pip_run/$2"
	mount --bind -o ro "$1" "$pip_run/$2"
}

# pip_share_own PATH: let the tree see a file or a folder of the host, read-only, under its own path. What has to be
# made for that is taken away by pip_unshare.
pip_shared=() pip_made=()
pip_share_own() {
	local path=$1 target="$pip_tree$1" folder missing=()
	folder=$(dirname -- "$target")
	# A link in the tree must not lead out of it.
	[[ $(realpath -m -- "$folder") == "$folder" ]] ||
		die E_CONFIG "'$path' cannot be shown to pip: a folder on the way to it is a link in the tree" "move it to another folder, under /srv, say"
	while [[ ! -e $folder ]]; do
		missing=("$folder" "${missing[@]}")
		folder=$(dirname -- "$folder")
	done
	((${#missing[@]} == 0)) || mkdir -- "${missing[@]}"
	pip_made+=("${missing[@]}")
	if [[ -d $path ]]; then
		[[ -d $target ]] || { mkdir -- "$target" && pip_made+=("$target"); }
	else
		[[ -e $target ]] || { : >"$target" && pip_made+=("$target"); }
	fi
	mount --bind -- "$path" "$target"
	mount -o remount,bind,ro -- "$target"
	pip_shared+=("$target")
}

# pip_unshare: nothing of the host is left in the tree.
pip_unshare() {
	local index
	for ((index = ${#pip_shared[@]} - 1; index >= 0; index--)); do umount -- "${pip_shared[index]}"; done
	for ((index = ${#pip_made[@]} - 1; index >= 0; index--)); do
		if [[ -d ${pip_made[index]} ]]; then rmdir -- "${pip_made[index]}"; else rm -f -- "${pip_made[index]}"; fi
	done
	pip_shared=() pip_made=()
}

# pip_install VENV REQUIREMENTS FOLDER: install a requirements file, both paths in the guest, with FOLDER as the working
# directory: what is relative in the file is relative to that.
pip_install() {
	local venv=$1 requirements=$2 folder=$3
	# shellcheck disable=SC2016 # expands in the tree
	in_tree "$pip_tree" env "${pip_environment[@]}" sh -c 'cd "$1" && shift && exec "$@"' - "$folder" \
		"$venv/bin/python3" -m pip install "${pip_options[@]}" -r "$requirements" 2>&1 |
		tee "$pip_run/log" >&2 || pip_blame "$pip_run/log"
}

# pip_blame LOG: pip's failure in our words. Without a network pip says that there is no such version, so look for that
# first.
pip_blame() {
	local log=$1 line
	if line=$(grep -m 1 -oE '(NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError|SSLError|Temporary failure in name resolution|Connection refused|Max retries exceeded).*' "$log"); then
		die E_NETWORK "the package index cannot be reached: ${line:0:200}" "check the network, or ${pip_section:-flare}.indexUrl in cc.yaml"
	fi
	if line=$(grep -m 1 -A 6 'DO NOT MATCH THE HASHES' "$log"); then
		die E_SHA256 "a package does not have the hash that was asked for: $(tr '\n' ' ' <<<"$line")" "check the hashes in the requirements"
	fi
	if line=$(grep -m 1 -oE '(No matching distribution found for|Could not find a version that satisfies the requirement) .*' "$log"); then
		die E_PACKAGE "$line" "name a version that the index has"
	fi
	if line=$(grep -m 1 -oE 'No space left on device.*' "$log"); then
		die E_SPACE "$line" "free some space, or choose another --work-dir"
	fi
	line=$(grep -m 1 '^ERROR: ' "$log") || line="exit status of pip"
	die E_PACKAGE "pip failed: ${line#ERROR: }" "see the log of this step"
}
