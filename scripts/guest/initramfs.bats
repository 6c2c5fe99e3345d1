#!/usr/bin/env bats
# shellcheck disable=SC2016 # programs for other shells
# The first act of the initrd, under each shell of an initrd that this machine has.

setup() {
	script=$BATS_TEST_TMPDIR/init
	{
		printf '#!/bin/sh\n'
		cat "$BATS_TEST_DIRNAME/initramfs/clear-environment"
		printf '%s\n' 'export -p' 'words="a b"; for word in $words; do echo "word=$word"; done' 'echo "$-"'
	} >"$script"
	shells=(dash)
	! command -v busybox >/dev/null || shells+=("busybox sh")
	[[ ! -x /usr/lib/klibc/bin/sh ]] || shells+=(/usr/lib/klibc/bin/sh)
}

@test "nothing of the environment that the host wrote is left" {
	local shell name hostile=(CC_ROOT=/x BOOT=local LD_PRELOAD_=/dev/vdb LD_LIBRARY_PATH=/x BASH_ENV=/x ENV=/x 'PS4=$(reboot)' IFS=x
		OPTIND=5 PPID=7 PWD=/x MODPROBE_OPTIONS=-C/x UDEV=/x init=/x ROOT=/dev/vdb cc_name=1 "1=2" 'a-b=c' SYSTEMD_PROC_CMDLINE=x
		'B=x y LC_ALL' "C=a
export D='q'" "E=it's" 'F=*' 'G=$(reboot)' HOME=/x TERM=x)
	for shell in "${shells[@]}"; do
		# shellcheck disable=SC2086 # a word of arguments
		run env -i PATH="$PATH" "${hostile[@]}" $shell "$script"
		((status == 0)) || { echo "$shell: $output" && return 1; }
		# IFS, OPTIND and PS4 are not unset in every shell; they have the value of the shell, or none.
		name=$(sed -n 's/^export //p' <<<"$output" | grep -v -e '^IFS' -e "^OPTIND='1'$" -e '^PS4$' | paste -sd ' ')
		[[ $name == "HOME='/' PATH='/sbin:/usr/sbin:/bin:/usr/bin' TERM='linux'" ]] || { echo "$shell: $name" && return 1; }
		[[ $output == *"word=a"$'\n'"word=b"* && ${lines[-1]} != *f* ]] || { echo "$shell: $output" && return 1; }
	done
}

@test "it is only built-in commands, so that no program runs with that environment" {
	run grep -oE '^\s*[a-z_]+' "$BATS_TEST_DIRNAME/initramfs/clear-environment"
	for word in $output; do
		[[ $(type -t "$word") =~ ^(builtin|keyword)$ || $word == cc_name ]] || { echo "$word" && return 1; }
	done
}

@test "no program of the guest takes a path or a switch from its environment" {
	# ${NAME-} is how a script asks for a variable that nobody has to have set.
	run grep -rnE '\$\{[A-Z][A-Z_]*:?[-=+]' "$BATS_TEST_DIRNAME" --exclude='*.bats'
	# A token of the services, for one program.
	run grep -v CC_ATTESTATION_TOKEN <<<"$output"
	[[ -z $output ]] || { echo "$output" && return 1; }
}
