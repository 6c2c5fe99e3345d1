#!/usr/bin/env bats
# The unit that looks around inside a machine: what it is told arrives, and nothing else of the tree is touched.
# shellcheck disable=SC2016 # what is told is text for a shell

load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree
	as_user mkdir -p "$tree/usr/lib/systemd/system" "$tree/etc/systemd/system"
}

teardown() { remove_trees; }

@test "the probe has what it is told, as words of the shell" {
	step probe --tree "$tree" --canary 'se cret$(id)' --control control --folder /vault/workspace --folder /mnt/cc --sysctl kernel.sysrq --sysctl fs.a-b \
		--host-four 10.77.0.2 --host-six 2001:db8::2 --allowed 8002 --forbidden 22 --forbidden 443
	((status == 0)) || { printf '%s\n' "$output" >&2 && return 1; }
	local probe=$tree/opt/cc-attack/probe
	[[ $(stat -c %a "$probe") == 755 && $(head -n 1 "$probe") == '#!/bin/sh' ]]
	# Only the words, not the program: it would look around here.
	run sh -c "$(sed -n '2,9p' "$probe")"'; printf "%s|" "$CANARY" "$CONTROL" "$FOLDERS" "$SYSCTLS" "$HOST4" "$HOST6" "$ALLOWED" "$FORBIDDEN"'
	equal "$output" 'se cret$(id)|control|/vault/workspace /mnt/cc|kernel.sysrq fs.a-b|10.77.0.2|2001:db8::2|8002|22 443|'
	bash -n "$probe" && dash -n "$probe"
	[[ -L $tree/etc/systemd/system/multi-user.target.wants/cc-attack-probe.service ]]
	equal "$(as_user find "$tree" -type f -printf '%P\n' | sort)" $'opt/cc-attack/probe\nusr/lib/systemd/system/cc-attack-probe.service'
}

@test "it tells how each try of the network ended, and where there is no way" {
	# Only the part of the network, with ports of this machine: nobody listens at them, and no broadcast is let out.
	# shellcheck disable=SC2016
	{
		printf '%s\n' 'tell() { printf "%s=%s\n" "$1" "$2"; }' 'words() { tr "\n" " "; }' 'sleep() { :; }'
		sed -n '/^# Outbound, from root/,/^tell failed-units/p' "$source_dir/probe" | sed '$d'
	} >"$dir/network"
	looks() { HOST4=$1 HOST6=::1 ALLOWED='' FORBIDDEN='9 10' run dash "$dir/network"; }
	looks 127.0.0.1
	grep -qx 'way4=yes' <<<"$output"
	grep -qx 'out-forbidden= 9:refused 10:refused\|out-forbidden= 10:refused 9:refused' <<<"$output"
	grep -q '^udp-forbidden=.* 9:sent' <<<"$output"
	for fact in way6 addresses4 addresses6 routes4 routes6 out-forbidden6 udp-forbidden6; do grep -q "^$fact=" <<<"$output"; done
	run ! grep -q '^addresses4=.*\b127\.' <<<"$output"
	looks 255.255.255.255
	grep -qx 'way4=no' <<<"$output"
	grep -q '^udp-forbidden=.* 9:denied' <<<"$output"
	# Without the program that sends, nothing is known.
	sed -i 's/ bash -c / no-such-program -c /' "$dir/network"
	looks 127.0.0.1
	grep -q '^out-forbidden=.* 9:unknown' <<<"$output"
	grep -q '^udp-forbidden=.* 9:unknown' <<<"$output"
}

@test "without a secret there is nothing to look for" {
	step probe --tree "$tree" --control control --host-four 10.77.0.2 --host-six 2001:db8::2
	failed_with E_STEP_ARGUMENT "--canary is required"
}
