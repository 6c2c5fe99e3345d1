#!/usr/bin/env bats
# Programs in a tree: what they get of the environment, and what others see of it.

# shellcheck disable=SC2016 # the texts are scripts
load ../test/lib.bash

setup() { setup_user; }

# in_root ENVIRONMENT... -- COMMAND...: COMMAND by in_tree, with the root of this machine as the tree; $dir/trace has the
# arguments of every command on the way.
in_root() {
	local environment=()
	while [[ $1 != -- ]]; do environment+=("$1") && shift; done
	shift
	run --separate-stderr as_user env "${environment[@]}" bash "$source_dir/namespace.sh" bash -c '
		root=$1; shift
		. "$root/step.sh"; . "$root/tree.sh"
		f() { :; }; export -f f
		exec {BASH_XTRACEFD}>"$0"; set -x
		in_tree / "$@"' "$dir/trace" "$source_dir" "$@"
}

@test "a program in a tree has our environment, with the proxy of the host and nothing else of it" {
	in_root http_proxy=http://u:s3cret@proxy:1 https_proxy= LEAK=1 BASH_ENV=/dev/null LD_LIBRARY_PATH=/x HOME=/elsewhere -- env
	((status == 0)) || { echo "$output $stderr" && return 1; }
	equal "$(grep -v '^_=' <<<"$output" | sort)" "$(
		sort <<-END
			DEBCONF_NONINTERACTIVE_SEEN=true
			DEBIAN_FRONTEND=noninteractive
			HOME=/root
			LC_ALL=C.UTF-8
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
			SOURCE_DATE_EPOCH=0
			SUDO_FORCE_REMOVE=yes
			TERM=dumb
			TZ=UTC
			http_proxy=http://u:s3cret@proxy:1
		END
	)"
}

@test "the password of a proxy is in no argument, and the status is the program's own" {
	in_root http_proxy=http://u:s3cret@proxy:1 -- sh -c 'exit 7'
	((status == 7))
	grep -q chroot "$dir/trace"
	run ! grep s3cret "$dir/trace"
}
