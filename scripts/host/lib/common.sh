# shellcheck shell=bash disable=SC2034 # variables for the scripts that source this file
# What install_cc_image.sh and launch_cc_image.sh share. They run on a host without Node and without jq.

set -Eeuo pipefail
umask 022
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

# Exit statuses of both: 0 done, 1 failed, 2 used wrongly, 3 the host lacks something, 4 the image is not as it was built.
# fail STATUS MESSAGE [HINT]
fail() {
	printf 'error: %s\n' "$2" >&2
	[[ -z ${3-} ]] || printf '  try: %s\n' "$3" >&2
	exit "$1"
}
trap 'fail 1 "line $LINENO: exit status $? from: $BASH_COMMAND"' ERR

# The text at the head of the script.
usage() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' -- "${BASH_SOURCE[-1]}"; }

# quote WORD...: a command as a person can paste it.
quote() {
	local word shown=()
	for word in "$@"; do
		if [[ $word =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then shown+=("$word"); else shown+=("'${word//\'/\'\\\'\'}'"); fi
	done
	printf '%s\n' "${shown[*]}"
}

# option WORD: a value among options of QEMU that are separated by commas: a comma in it is doubled.
option() { printf '%s' "${1//,/,,}"; }

# absolute PATH
absolute() { [[ $1 == /* ]] && printf '%s' "$1" || printf '%s/%s' "$PWD" "$1"; }

sha256() {
	local sum
	sum=$(sha256sum <"$1")
	printf '%s' "${sum%% *}"
}

# json FILE: its leaves, one a line: the path with slashes, a tab, the value. Fails for what is not JSON, and for a key
# that stands twice: another reader might take the other one.
json() {
	awk '
		function stop(why) { printf "%s at character %d\n", why, i > "/dev/stderr"; bad = 1; exit 1 }
		function blank() { while (i <= n && index(" \t\r\n", substr(s, i, 1))) i++ }
		function text(  c, out) {
			for (i++; i <= n; i++) {
				c = substr(s, i, 1)
				if (c == "\"") { i++; return out }
				if (c == "\t" || c == "\n") stop("a control character in a text")
				if (c == "\\") { i++; c = substr(s, i, 1); if (c !~ /["\\\/]/) c = "\\" c }
				out = out c
			}
			stop("a text without end")
		}
		function leaf(path, word) {
			if (path in seen) stop("the key " path " a second time,")
			seen[path] = 1
			printf "%s\t%s\n", path, word
		}
		function value(path, depth,  c, k, key, rest) {
			if (depth > 32) stop("more than 32 levels")
			blank(); c = substr(s, i, 1)
			if (c == "{" || c == "[") {
				i++; k = 0; blank()
				if (substr(s, i, 1) == (c == "{" ? "}" : "]")) { i++; return }
				for (;;) {
					blank()
					if (c == "{") {
						if (substr(s, i, 1) != "\"") stop("no key")
						key = text(); blank()
						if (substr(s, i, 1) != ":") stop("no colon")
						i++
						if ((path, key) in names) stop("the key " key " a second time,")
						names[path, key] = 1
					} else key = k++
					value(path == "" ? key : path "/" key, depth + 1)
					blank(); rest = substr(s, i++, 1)
					if (rest == ",") continue
					if (rest == (c == "{" ? "}" : "]")) return
					i--; stop("no comma")
				}
			}
			if (c == "\"") { leaf(path, text()); return }
			if (!match(substr(s, i, 40), /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)/)) stop("no value")
			rest = substr(s, i, RLENGTH); i += RLENGTH
			leaf(path, rest)
		}
		{ s = s $0 "\n" }
		END {
			if (bad) exit 1
			n = length(s); i = 1
			value("", 0); blank()
			if (i <= n) stop("more than one value")
		}' "$1"
}

declare -A manifest=()

# read_image FOLDER: the manifest of the image in it, as the array manifest, and what the scripts ask of it.
read_image() {
	local leaves path value statement=${2-$1}/manifest.json
	[[ -f $statement ]] || fail 4 "there is no image in '$1': it has no manifest.json" "name an image directory: --image DIR"
	leaves=$(json "$statement" 2>&1) || fail 4 "$1/manifest.json is not JSON: $leaves" "take an unaltered copy of the image"
	while IFS=$'\t' read -r path value; do manifest[$path]=$value; done <<<"$leaves"
	[[ ${manifest[version]-} == 1 ]] || fail 4 "$1/manifest.json is of another version: '${manifest[version]-}'"
	name=${manifest[name]-} profile=${manifest[profile]-} stage=${manifest[stage]-}
	[[ $name =~ ^[A-Za-z0-9_-]+$ ]] || fail 4 "$1/manifest.json has no usable name: '$name'"
	[[ $profile == development || $profile == production ]] || fail 4 "$1/manifest.json has an unknown profile: '$profile'"
	[[ -n ${manifest["launch/platform"]-} ]] || fail 4 "$1/manifest.json does not say how the image is launched" "build it again with this version"
	disk=$1/$name.qcow2
	policy=${manifest["launch/policy"]} memory_mib=${manifest["launch/memoryMiB"]}
	firmware_sha256=${manifest["launch/firmwareSha256"]}
	[[ $firmware_sha256 != null ]] || firmware_sha256=
	[[ $policy =~ ^0x[0-9a-f]+$ && $memory_mib =~ ^[0-9]+$ ]] || fail 4 "$1/manifest.json has no usable section launch"
	check_shared "$1"
	root_key_source=
	for ((i = 0; ; i++)); do
		[[ -n ${manifest["partitions/$i/name"]-} ]] || break
		[[ ${manifest["partitions/$i/name"]} != cc-root ]] || root_key_source=${manifest["partitions/$i/key"]}
	done
}

# check_shared FOLDER: set shared to the file that the disk leans on, the root that it shares with other images; empty where
# the disk has all of it. Only the disk itself knows, and only qemu-img can ask it.
check_shared() {
	local info expected=../../shared/${manifest["shared/name"]-}
	shared=
	[[ -f $disk ]] && command -v qemu-img >/dev/null || return 0
	info=$(qemu-img info --force-share -f qcow2 "$disk" 2>&1) ||
		fail 4 "$disk cannot be read: ${info##*: }" "take an unaltered copy of the image"
	info=$(sed -n 's/^backing file: \(.*\)$/\1/p' <<<"$info")
	info=${info% (actual path: *}
	[[ -n $info ]] || return 0
	[[ $info == "$expected" ]] ||
		fail 4 "${disk##*/} leans on '$info', and its manifest names '${manifest["shared/name"]-nothing}'" "take an unaltered copy of the image"
	shared=$1/$info
	[[ -f $shared ]] || fail 4 "the root that $name shares with other images is missing: '$shared'" \
		"keep the folder 'shared' beside the folders of the sites, or build with --standalone"
}

# list_of PATH: the elements of a list of the manifest, as the array list.
list_of() {
	local index
	list=()
	for ((index = 0; ; index++)); do
		[[ -n ${manifest["$1/$index"]-} ]] || break
		list+=("${manifest["$1/$index"]}")
	done
}

# command_line FOLDER: the kernel command line as QEMU gets it. The file ends with a line end, which is no part of it:
# one character more is another measurement. It must be the one of the manifest.
command_line() {
	local line
	IFS= read -r line <"$1/cmdline" || fail 4 "$1/cmdline is empty or has no line end" "take an unaltered copy of the image"
	[[ $line == "${manifest[cmdline]}" ]] || fail 4 "$1/cmdline is not the command line of the manifest" "take an unaltered copy of the image"
	printf '%s' "$line"
}
