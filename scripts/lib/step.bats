#!/usr/bin/env bats
# The contract of a step: what is printed where a command fails, and what stops.

# shellcheck disable=SC2016 # the texts are scripts
load ../test/lib.bash

setup() { setup_user; }

# run_step BODY: a step with this body.
run_step() {
	printf '#!/usr/bin/env bash\n# Test.\n#\n# Parameters:\n#   [--name NAME]  unused\n# Runs in: host\n\n. "%s"\nstep "$@"\n%s\necho end\n' \
		"$source_dir/step.sh" "$1" | as_user tee "$dir/body.sh" >/dev/null
	run as_user bash "$dir/body.sh"
}

errors() { grep -c '^error\[' <<<"$output" || true; }

@test "a failure that does not stop the step is not reported" {
	for body in 'while read -r x; do echo "$x"; done < <(echo one; false)' 'mapfile -t list < <(grep nothing /dev/null)' \
		'if x=$(false; echo no); then echo "$x"; fi' 'x=$(grep nothing /dev/null) || x=' 'diff <(false) <(true)' \
		'(false) || true' 'f() { false; echo on; }; while read -r x; do echo "$x"; done < <(f)'; do
		run_step "$body"
		((status == 0)) && [[ $output == *end && $output != *error* ]] || { echo "$body: $output" && return 1; }
	done
}

@test "a failure that stops the step is reported once, with the line, the status and the command" {
	for body in 'false' 'x=$(false; echo no)' '(false; echo no)' 'f() { false; }; f' '{ false; echo no; } | cat' \
		'read_list list false' 'read_list0 list bash -c "printf a; exit 3"'; do
		run_step "$body"
		failed_with E_STEP_FAILED 'line ' || { echo "$body" && return 1; }
		[[ $(errors) == 1 && $output != *end ]] || { echo "$body: $output" && return 1; }
	done
	run_step 'read_list list bash -c "exit 3"'
	failed_with E_STEP_FAILED 'line 10 of body.sh: exit status 3 from: bash -c exit 3'
	run_step $'\n(exit 7)'
	failed_with E_STEP_FAILED 'line 11 of body.sh: exit status 7 from: ( exit 7 )'
}

@test "a reason given in a subshell is the only one" {
	for body in 'x=$(die E_IMAGE reason)' '(die E_IMAGE reason)' 'f() { die E_IMAGE reason; }; read_list list f' \
		'die E_IMAGE reason' 'die E_IMAGE reason | cat' 'f() { x=$(die E_IMAGE reason); }; y=$(f)'; do
		run_step "$body"
		failed_with E_IMAGE reason || { echo "$body" && return 1; }
		[[ $(errors) == 1 && $output != *end ]] || { echo "$body: $output" && return 1; }
	done
}

@test "a list has every item, whatever is in it, and is empty where nothing is printed" {
	run_step 'read_list a printf "a b\n*\n\n"; read_list0 b printf "x\ny\0z"; read_list c true; declare -p a b c'
	equal "$output" $'declare -a a=([0]="a b" [1]="*" [2]="")\ndeclare -a b=([0]=$\'x\\ny\' [1]="z")\ndeclare -a c=()\nend'
}

# run_contract PARAMETERS BODY ARGUMENT...: a step with these lines of parameters.
run_contract() {
	printf '#!/usr/bin/env bash\n# Test.\n#\n# Parameters:\n%s\n# Runs in: host\n\n. "%s"\nstep "$@"\n%s\n' \
		"$1" "$source_dir/step.sh" "$2" | as_user tee "$dir/contract.sh" >/dev/null
	run as_user bash "$dir/contract.sh" "${@:3}"
}

@test "no name of a parameter is taken by the parser: every value arrives" {
	local name
	for name in name value variable line word list required repeat seen; do
		run_contract "#   --$name TEXT  a value" "echo \"[\$$name]\"" "--$name" 'a b'
		((status == 0)) && [[ $output == '[a b]' ]] || { echo "--$name: $output" && return 1; }
		run_contract "#   [--$name TEXT]...  values" "echo \"\${#${name}[@]} [\${${name}[*]}]\"" "--$name" a "--$name" b
		((status == 0)) && [[ $output == '2 [a b]' ]] || { echo "--$name twice: $output" && return 1; }
	done
}

# run_network RUNS NETWORK BODY: a step that runs there, and says this of the network.
run_network() {
	printf '#!/usr/bin/env bash\n# Test.\n#\n# Parameters:\n#   [--name NAME]  unused\n# Runs in: %s\n# Network: %s\n\n. "%s"\nstep "$@"\n%s\n' \
		"$1" "$2" "$source_dir/step.sh" "$3" | as_user tee "$dir/network.sh" >/dev/null
	run as_user bash "$dir/network.sh" --name 'a b'
}

@test "a step that says it needs no network has none, wherever it runs; one that does has the network of the host" {
	local devices='tail -n +3 /proc/net/dev | cut -d : -f 1 | xargs; id -u; echo "$name"' host
	host=$(tail -n +3 /proc/net/dev | cut -d : -f 1 | xargs)
	[[ $host != lo ]] || skip "this host has no network itself"
	run_network host no "$devices"
	equal "$output" "lo"$'\n'"$(as_user id -u)"$'\na b'
	run_network namespace no "$devices"
	equal "$output" $'lo\n0\na b'
	run_network host yes "$devices"
	equal "$output" "$host"$'\n'"$(as_user id -u)"$'\na b'
	run_network namespace 'the package index' "$devices"
	equal "$output" "$host"$'\n0\na b'
}

@test "without a network a step can still talk to itself" {
	local talk='python3 -c "
import socket, threading
server = socket.create_server((\"127.0.0.1\", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b\"hello\")).start()
print(socket.create_connection(server.getsockname()).recv(5).decode())
try:
    socket.create_connection((\"192.0.2.1\", 80), 3)
except OSError as error:
    print(error.strerror)"'
	run_network namespace no "$talk"
	equal "$output" $'hello\nNetwork is unreachable'
}

@test "where nobody may make a network of its own, a step on the host goes on with that of the host; one in a namespace does not" {
	as_user mkdir "$dir/bin"
	printf '#!/bin/sh\ncase " $* " in *" --net "*) echo "unshare failed: Operation not permitted" >&2; exit 1 ;; esac\nexec /usr/bin/unshare "$@"\n' |
		as_user tee "$dir/bin/unshare" >/dev/null
	chmod 755 "$dir/bin/unshare"
	run_network host no 'echo "$name"'
	equal "$output" 'a b'
	run as_user env PATH="$dir/bin:$PATH" bash "$dir/network.sh" --name 'a b'
	equal "$output" 'a b'
	run_network namespace no 'echo "$name"'
	run as_user env PATH="$dir/bin:$PATH" bash "$dir/network.sh" --name 'a b'
	((status != 0))
	[[ $output == *'not permitted'* && $output != *'a b'* ]]
}

@test "the end of what a program said is shown, also where that is short" {
	run_step 'end_of short; echo; x=$(printf "a%.0s" {1..400}); end_of "$x" | wc -c; end_of ""'
	[[ $output == $'short\n300\nend' ]] || { echo "$output" && return 1; }
}
