#!/usr/bin/env bash
# Run a command as root of new mount, pid, ipc and uts namespaces: bash namespace.sh [--offline] COMMAND [ARGUMENT]...
#
# An ordinary user gets a user namespace too: there the user is root, and all of the user's subordinate ids follow from
# id 1 on. newuidmap and newgidmap map them one range after the other, since unshare does it by itself only from
# util-linux 2.38 on, and takes one range.
# As real root the ids are already all there, so there is no user namespace.
# With --offline there is a network namespace as well, which reaches nobody.

set -Eeuo pipefail
export LC_ALL=C.UTF-8

needed=65536
isolate=(--mount --pid --ipc --uts --fork --kill-child=KILL --mount-proc)
if [[ ${1-} == --offline ]]; then
	isolate+=(--net)
	shift
fi

die() {
	printf 'error[%s]: %s\n' "$1" "$2" >&2
	[[ -z ${3-} ]] || printf '  try: %s\n' "$3" >&2
	exit 1
}

# ranges FILE NAME ID OWN: a line "INSIDE OUTSIDE COUNT" for each range that FILE gives to the user, by name or number.
# A range is left out where it overlaps one before it, or the id OWN that becomes root: the kernel refuses both.
ranges() {
	[[ -r $1 ]] || return 0
	awk -F : -v name="$2" -v id="$3" -v own="$4" '
		BEGIN { inside = 1; start[0] = own; end[0] = own }
		($1 == name || $1 == id) && $2 ~ /^[0-9]+$/ && $3 ~ /^[0-9]+$/ && $3 > 0 {
			for (i = 0; i <= count; i++) if ($2 <= end[i] && $2 + $3 - 1 >= start[i]) next
			start[++count] = $2; end[count] = $2 + $3 - 1
			printf "%.0f %.0f %.0f\n", inside, $2, $3
			inside += $3
		}' "$1"
}

# map_ids PID: map the ids of the process, which waits in its user namespace.
map_ids() {
	local name uid gid kind file own taken words message
	uid=$(id -u)
	# shellcheck disable=SC2034 # used by name
	gid=$(id -g)
	name=$(id -un 2>/dev/null) ||
		die E_SUBID "the user $uid has no entry in /etc/passwd, and newuidmap maps nothing without one" \
			"run it as a user with an entry, or as root"
	for kind in uid gid; do
		file=/etc/sub$kind own=${!kind}
		taken=$(ranges "$file" "$name" "$uid" "$own")
		(($(awk '{ sum += $3 } END { print sum + 0 }' <<<"$taken") >= needed)) ||
			die E_SUBID "the user '$name' has fewer than $needed subordinate ids in $file" \
				"run 'cc-image-test host' to see the command that adds them"
		read -r -d '' -a words <<<"0 $own 1 $taken" || true
		message=$("new${kind}map" "$1" "${words[@]}" 2>&1) || die E_SUBID "${message:-new${kind}map failed}" \
			"change the lines of '$name' in $file to one range of $needed ids that nobody else has"
	done
}

((EUID != 0)) || exec unshare "${isolate[@]}" -- "$@"

# The ids have to be mapped from outside of the namespace. What waits inside says when it is there, and is told when it
# is mapped. It becomes root with the next program that it executes, and keeps its capabilities until then: a process
# that gains some is no longer ended with its parent.
coproc mapper {
	read -r _ && map_ids $$ && echo mapped
}
# Opened again: bash closes its own ends with the next exec.
# shellcheck disable=SC2154 # coproc sets mapper
exec {mapped}<"/proc/self/fd/${mapper[0]}" {ready}>"/proc/self/fd/${mapper[1]}"
# shellcheck disable=SC2016 # for the shell inside
exec unshare --user --keep-caps -- bash -c '
	echo >&"$1"
	read -r _ <&"$2" || exit 1
	eval "exec $1>&- $2<&-"
	shift 2
	exec setpriv --inh-caps=-all -- unshare "$@"' bash "$ready" "$mapped" "${isolate[@]}" -- "$@"
