#!/usr/bin/env bats
# The namespace that every step of an ordinary user runs in: which ids are there, and what is said where they are not.

load ../test/lib.bash

setup() { setup_user; }
teardown() { remove_trees; }

# with_ids SUBUID [SUBGID]: run $enter as an ordinary user whose subordinate ids are these lines; NAME and UID stand
# for the user's. Only root can lay other files over /etc/subuid.
with_ids() {
	((EUID == 0)) || skip "changing /etc/subuid needs root"
	local name=${user[1]#--reuid=} file
	for file in subuid subgid; do
		printf '%s\n' "$1" | sed "s/NAME/$name/; s/UID/$(id -u "$name")/" >"$dir/$file"
		[[ $# == 1 ]] || shift
	done
	# shellcheck disable=SC2016 # for the shell inside
	run unshare --mount -- bash -c '
		mount --bind "$1/subuid" /etc/subuid && mount --bind "$1/subgid" /etc/subgid && "${@:2}"' \
		bash "$dir" "${user[@]}" bash "$source_dir/namespace.sh" "${command[@]}"
}

# shellcheck disable=SC2016 # for the shell inside
command=(sh -c 'awk "{ print \$1, \$2, \$3 }" /proc/self/uid_map && id -u')

mapped() { awk 'NF == 3 { sum += $3 } END { print sum }' <<<"$output"; }

@test "one range" {
	with_ids NAME:200000:65536
	((status == 0)) || { echo "$output" && false; }
	[[ $output == *$'\n1 200000 65536\n0' ]]
}

@test "several ranges are mapped one after the other, by name and by number, one that overlaps is left out" {
	with_ids $'other:1:5\nNAME:200000:30000\nUID:300000:30000\nNAME:210000:50\nNAME:400000:10000'
	((status == 0)) || { echo "$output" && false; }
	[[ $output == *$'\n1 200000 30000\n30001 300000 30000\n60001 400000 10000\n0' ]]
	equal "$(mapped)" 70001
}

@test "a file that an id inside owns belongs to the right range" {
	command=(sh -c "touch '$dir/x' && chown 30001:30001 '$dir/x'")
	with_ids $'NAME:200000:30000\nNAME:300000:40000'
	((status == 0)) || { echo "$output" && false; }
	equal "$(stat -c %u:%g "$dir/x")" 300000:300000
}

@test "too few ids, and a user without a name, are refused with what to do" {
	with_ids NAME:200000:65535
	failed_with E_SUBID "has fewer than 65536 subordinate ids in /etc/subuid"
	with_ids NAME:200000:65536 NAME:200000:10
	failed_with E_SUBID "in /etc/subgid"
	with_ids 'not a line'
	failed_with E_SUBID "/etc/subuid"
	run setpriv --reuid 4242 --regid 4242 --clear-groups bash "$source_dir/namespace.sh" true
	failed_with E_SUBID "the user 4242 has no entry in /etc/passwd"
}

@test "what newuidmap refuses is said in its words" {
	as_user mkdir "$dir/bin"
	printf '#!/bin/sh\necho "newuidmap: no way" >&2; exit 1\n' | as_user tee "$dir/bin/newuidmap" >/dev/null
	chmod +x "$dir/bin/newuidmap"
	run as_user env PATH="$dir/bin:$PATH" bash "$source_dir/namespace.sh" true
	((EUID > 0 || ${#user[@]})) || skip "root maps nothing"
	failed_with E_SUBID 'newuidmap: no way'
	[[ $output == *'try: '* ]]
}

@test "the command gets its arguments, its input and its status, and no file descriptor of the set-up" {
	run as_user bash "$source_dir/namespace.sh" sh -c 'cat; printf "<%s>" "$@"; exit 7' sh 'a b' '' '*' <<<input
	((status == 7))
	equal "$output" $'input\n<a b><><*>'
	own=$(as_user sh -c 'ls /proc/self/fd')
	equal "$(as_user bash "$source_dir/namespace.sh" sh -c 'ls /proc/self/fd')" "$own"
}

@test "the command is root, without ambient or inheritable capabilities" {
	run as_user bash "$source_dir/namespace.sh" sh -c 'id -u; grep -E "Cap(Inh|Amb)" /proc/self/status'
	equal "$output" $'0\nCapInh:\t0000000000000000\nCapAmb:\t0000000000000000'
}

@test "all of it ends with the one who asked for it" {
	# shellcheck disable=SC2016 # for the shell inside
	as_user bash -c 'setpriv --pdeathsig KILL bash "$1" sh -c "echo \$\$; exec sleep 987654" & sleep 2; kill -9 $$' \
		bash "$source_dir/namespace.sh" || true
	for _ in {1..50}; do
		pgrep -f 'sleep 98765[4]' >/dev/null || return 0
		sleep 0.1
	done
	echo "the command still runs" && false
}

@test "a proxy in upper case is known to apt" {
	# shellcheck disable=SC2016 # for the shell inside
	run as_user env -u https_proxy HTTPS_PROXY=http://proxy.test NO_PROXY=x no_proxy=y bash -c '
		. "$1/step.sh"; printf "%s\n" "$https_proxy" "$no_proxy"' bash "$source_dir"
	equal "$output" $'http://proxy.test\ny'
}

@test "offline there is no network" {
	run as_user bash "$source_dir/namespace.sh" --offline sh -c 'tail -n +3 /proc/net/dev | cut -d : -f 1; grep -c . /proc/net/route'
	equal "$(xargs <<<"$output")" 'lo 0'
}
