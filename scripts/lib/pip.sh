# shellcheck shell=bash
# pip in a virtual environment of a tree. Sourced after step.sh and tree.sh, in steps that run in the namespace; they
# call pip_open, add to the array pip_options, and call pip_install. What pip needs lies in the tree's /run, which is a
# tmpfs of this namespace.
#
# pip is always the one beside these scripts: that of the tree may be too old (22.04 has 22.0.2, without --report), and
# none is left in the image. A step that sources this file has the parameters from --index-url to --private, as
# flare/20-nvflare.sh describes them; cc-core/pip fills them.

pip_wheel=pip-26.0.1-py3-none-any.whl
pip_sha256=bdb1b08f4274833d62c1aa29e20907365a2ceb950410df15fc9521bad440122b

# pip_open TREE CACHE: pip itself, mounts, name resolution, and how the package index is reached. CACHE is where
# downloads are kept between builds.
pip_open() {
	pip_tree=$1 pip_cache=$2 pip_run="$1/run/cc-pip"
	pip_read_variables
	[[ -x $pip_tree/usr/bin/python3 ]] || die E_PACKAGE "the tree has no python3" "add it: flare.packages in cc.yaml"
	tree_mounts "$pip_tree"
	tree_network "$pip_tree"
	mkdir -p "$pip_run/cache" "$pip_run/lib" "$pip_cache"
	mount --bind "$pip_cache" "$pip_run/cache"
	pip_unpack
	pip_environment=(PIP_CACHE_DIR=/run/cc-pip/cache PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore)
	pip_configure
	pip_options=(--no-compile --no-warn-script-location --disable-pip-version-check --report /run/cc-pip/report.json)
	# Else pip calls itself for what a build needs, with every URL on the command line.
	# shellcheck disable=SC2154 # a parameter of the step
	[[ -z $private ]] || pip_options+=(--use-feature inprocess-build-deps)
}

# pip_read_variables <VARIABLES: take the values of the names in --expand. They are secrets, so they come neither by the
# command line nor by the environment, which a process shows to every other one of its user; and bash keeps them to itself.
declare -A pip_variables=()
# shellcheck disable=SC2154 # a parameter of the step
pip_read_variables() {
	local name pair
	((${#expand[@]})) || return 0
	while IFS= read -r -d '' pair; do pip_variables[${pair%%=*}]=${pair#*=}; done
	for name in "${expand[@]}"; do
		[[ -n ${pip_variables[$name]-} ]] ||
			die E_CONFIG "the variable '$name' has no value" "give the step $name=… by standard input, ended by a NUL"
	done
}

# pip_print_variables: them again, for a program that reads them.
pip_print_variables() {
	local name
	for name in "${expand[@]}"; do printf '%s=%s\0' "$name" "${pip_variables[$name]}"; done
}

# pip_unpack: our pip, without its metadata: it is not a package of the environment that it works on.
pip_unpack() {
	local wheel=$scripts_dir/vendor/$pip_wheel sum
	sum=$(sha256sum -- "$wheel") || die E_STEP_FAILED "there is no '$wheel'" "install cc-scripts again"
	[[ ${sum%% *} == "$pip_sha256" ]] ||
		die E_SHA256 "'$wheel' has the sha256 ${sum%% *}, expected $pip_sha256" "install cc-scripts again"
	python3 -m zipfile -e "$wheel" "$pip_run/lib"
	rm -r "$pip_run"/lib/pip-*.dist-info
	cp "$scripts_dir"/lib/pip-run.py "$scripts_dir"/lib/pip_lines.py "$pip_run/lib/"
}

# pip_configure: the configuration of pip for this step; only root of this namespace may read it.
# shellcheck disable=SC2154 # parameters of the step
pip_configure() {
	local index name links=()
	for index in "${!find_links[@]}"; do
		pip_share "${find_links[index]}" "links-$index"
		links+=("/run/cc-pip/links-$index")
	done
	links+=("${find_links_url[@]}")
	(umask 077 && pip_expand >"$pip_run/pip.conf") <<-EOF
		[global]
		${index_url:+index-url = $index_url}
		${extra_index_url:+extra-index-url = ${extra_index_url[*]}}
		${links:+find-links = ${links[*]}}
		${no_index:+no-index = true}
		${trusted_host:+trusted-host = ${trusted_host[*]}}
		${proxy:+proxy = $proxy}
		${timeout:+timeout = $timeout}
		${retries:+retries = $retries}
	EOF
	pip_environment+=(PIP_CONFIG_FILE=/run/cc-pip/pip.conf)
	for name in "$cert" "${REQUESTS_CA_BUNDLE-}" "${CURL_CA_BUNDLE-}" /etc/ssl/certs/ca-certificates.crt; do
		[[ -f $name ]] || continue
		cp -- "$name" "$pip_run/ca.crt"
		pip_environment+=(PIP_CERT=/run/cc-pip/ca.crt)
		break
	done
	[[ -z $client_cert ]] || {
		(umask 077 && cat -- "$client_cert" >"$pip_run/client.pem")
		pip_environment+=(PIP_CLIENT_CERT=/run/cc-pip/client.pem)
	}
}

# pip_expand <TEXT: the text with ${NAME} replaced, for the names in --expand.
pip_expand() {
	local text name
	text=$(cat)
	for name in "${expand[@]}"; do text=${text//"\${$name}"/"${pip_variables[$name]}"}; done
	printf '%s\n' "$text"
}

# pip_venv VENV: a new virtual environment, without any pip.
pip_venv() {
	in_tree "$pip_tree" python3 -m venv --clear --without-pip "$1" >"$pip_run/venv.log" 2>&1 ||
		die E_PACKAGE "python3 -m venv: $(tail -n 1 "$pip_run/venv.log")" "see the log of this step"
	# pip of a Python before 3.10 needs it, and Debian has it as a package of its own.
	in_tree "$pip_tree" "$1/bin/python3" -c 'import sys; sys.version_info >= (3, 10) or __import__("distutils.cmd")' 2>/dev/null ||
		die E_PACKAGE "the tree's python3 has no distutils" "add python3-distutils: flare.packages in cc.yaml"
}

# pip_share FOLDER NAME: let the tree see a folder of the host, read-only, as /run/cc-pip/NAME.
pip_share() {
	mkdir -p "$pip_run/$2"
	mount --bind -o ro "$1" "$pip_run/$2"
}

# pip_share_own PATH [COPY]: let the tree see a file or a folder of the host, read-only, under its own path; or COPY
# under that path, which may be written. What has to be made for that is taken away by pip_unshare.
pip_shared=() pip_made=()
pip_share_own() {
	local path=$1 copy=${2-} target="$pip_tree$1" folder missing=()
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
	mount --bind -- "${copy:-$path}" "$target"
	[[ -n $copy ]] || mount -o remount,bind,ro -- "$target"
	pip_shared+=("$target")
}

# pip_share_project FOLDER LEFT_OUT...: let the tree see a copy of a source folder under its own path: a build writes
# beside the sources. Without the folders LEFT_OUT in it. The copy lies beside the cache, since it may be large.
pip_share_project() {
	local path=$1 copy options=() left
	copy=$pip_cache/projects/${#pip_shared[@]}
	for left in "${@:2}"; do
		[[ $left != "$path"/* ]] || options+=(--exclude "./${left#"$path/"}")
	done
	rm -rf -- "$copy"
	mkdir -p -- "$copy"
	tar --create --directory "$path" --exclude __pycache__ --anchored --no-wildcards "${options[@]}" . |
		tar --extract --directory "$copy" || die E_PACKAGE "the source folder '$path' cannot be copied" "see the log of this step"
	pip_share_own "$path" "$copy"
}

# pip_unshare: nothing of the host is left in the tree.
pip_unshare() {
	local index
	for ((index = ${#pip_shared[@]} - 1; index >= 0; index--)); do umount -- "${pip_shared[index]}"; done
	for ((index = ${#pip_made[@]} - 1; index >= 0; index--)); do
		if [[ -d ${pip_made[index]} ]]; then rmdir -- "${pip_made[index]}"; else rm -f -- "${pip_made[index]}"; fi
	done
	pip_shared=() pip_made=()
	[[ -z ${pip_cache-} ]] || rm -rf -- "$pip_cache/projects"
}

# pip_run VENV FOLDER ARGUMENT...: run our pip with the Python of an environment, in a folder of the tree.
pip_run() {
	local venv=$1 folder=$2
	# shellcheck disable=SC2016 # expands in the tree
	in_tree "$pip_tree" env "${pip_environment[@]}" sh -c 'cd "$1" && shift && exec "$@"' - "$folder" \
		"$venv/bin/python3" /run/cc-pip/lib/pip-run.py "${@:3}" < <(pip_print_variables)
}

# pip_install VENV REQUIREMENTS FOLDER: install a requirements file, both paths in the guest, with FOLDER as the working
# directory: what is relative in the file is relative to that.
pip_install() {
	local venv=$1 requirements=$2 folder=$3
	pip_run "$venv" "$folder" install "${pip_options[@]}" -r "$requirements" 2>&1 |
		python3 -I "$scripts_dir/lib/pip-redact.py" <(pip_print_variables) |
		tee "$pip_run/log" >&2 || pip_blame "$pip_run/log"
	# pip remembers where a file came from: a path of this host, or a URL that may have credentials.
	find "$pip_tree$venv" -path '*.dist-info/direct_url.json' -delete
}

# pip_check VENV INSIST: refuse packages whose requirements contradict each other; with INSIST only say so.
pip_check() {
	local problems
	if problems=$(pip_run "$1" / check 2>&1); then return 0; fi
	[[ -z $2 ]] || { log "pip check: $problems" && return 0; }
	die E_PACKAGE "the packages contradict each other: $(tr '\n' ' ' <<<"$problems")" \
		"change the requirements, or set hardening.allowConflicts to build nevertheless"
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
