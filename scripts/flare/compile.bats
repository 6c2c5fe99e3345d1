#!/usr/bin/env bats
# Python is compiled ahead: every source once, nothing else, and what is compiled already is not compiled again.

# shellcheck disable=SC2016 # the texts are scripts
load ../test/lib.bash

epoch=1700000000

# A tree with the Python of this machine, and two packages.
setup() {
	setup_user
	as_user bash -c 'mkdir -p "$1"/{dev,proc,sys,tmp,run,opt/venv/app/tests,usr/bin} && cd / &&
		python=$(readlink -f /usr/bin/python3) && mapfile -t libraries < <(ldd "$python" | grep -o "/[^ ]*") &&
		cp --parents "$python" "${libraries[@]}" "$1" && ln -s "${python##*/}" "$1/usr/bin/python3" &&
		find "/usr/lib/${python##*/}" \( -name "*.py" -o -name "_multiprocessing*.so" \) -not -path "*/test/*" -exec cp --parents {} "$1" \; &&
		cp -r --parents /usr/bin/env "$1"' - "$dir/tree"
	as_user bash -c 'cd "$1" && echo "x = 1" >app/a.py && echo "y = 2" >app/b.py && echo "z = 3" >app/tests/c.py && echo "print x" >app/old.py' - "$dir/tree/opt/venv"
}
teardown() { remove_trees; }

compile() {
	step 95-compile --tree "$dir/tree" --folder /opt/venv --source-date-epoch "$epoch"
	((status == 0)) || { echo "$output" && return 1; }
}

compiled() { (cd "$dir/tree/opt/venv" && find . -name '*.pyc' -printf '%P\n' | sed 's/\.[^.]*\.pyc$//' | sort); }

@test "every source is compiled, the standard library with it; not tests, nor what does not compile" {
	compile
	equal "$(compiled)" $'app/__pycache__/a\napp/__pycache__/b'
	[[ -n $(find "$dir/tree/usr/lib" -name 'argparse.*.pyc') ]]
	equal "$(find "$dir/tree" -name '*.pyc' -newermt "@$epoch")" ''
	# Flags 1 (PEP 552): neither source nor time stamp is looked at.
	equal "$(od -An -tu4 -j4 -N4 "$dir"/tree/opt/venv/app/__pycache__/a.*.pyc | tr -d ' ')" 1
}

@test "only what is new or changed is compiled again, and the bytes are those of a whole run" {
	compile
	rm -rf "$dir/whole" && as_user cp -a "$dir/tree/opt/venv" "$dir/whole"
	local cache=$dir/tree/opt/venv/app/__pycache__ tag
	tag=$(basename "$cache"/a.*.pyc) && tag=${tag#a}
	as_user bash -c 'cd "$1/.." && echo "x = 5" >a.py && cp __pycache__/b"$2" __pycache__/gone"$2" && echo noise >__pycache__/other && ln -s /etc/passwd __pycache__/link.pyc' - "$cache" "$tag"
	compile
	[[ $output == *', 1 compiled'* || $output == *', 2 compiled'* ]]
	equal "$(compiled)" $'app/__pycache__/a\napp/__pycache__/b'
	equal "$(ls "$cache")" "$(printf 'a%s\nb%s' "$tag" "$tag")"
	run ! cmp "$cache/a$tag" "$dir/whole/app/__pycache__/a$tag"
	as_user bash -c 'echo "x = 1" >"$1/a.py"' - "$cache/.."
	compile
	cmp "$cache/a$tag" "$dir/whole/app/__pycache__/a$tag"
}

@test "a compiled file of another kind, source or version is made again; a link is not followed" {
	compile
	local cache=$dir/tree/opt/venv/app/__pycache__ file good
	file=$(echo "$cache"/a.*.pyc) good=$dir/good
	cp "$file" "$good"
	for damage in 'printf "\0" | dd of="$1" bs=1 seek=4 conv=notrunc status=none' 'printf "\0" | dd of="$1" bs=1 seek=0 conv=notrunc status=none' \
		'printf "\0" | dd of="$1" bs=1 seek=9 conv=notrunc status=none' ': >"$1"' 'rm "$1" && cp "$2" "$1.x" && ln -s "${1##*/}.x" "$1"'; do
		as_user bash -c "$damage" - "$file" "$good"
		compile
		[[ -f $file && ! -L $file ]]
		cmp "$file" "$good"
	done
	equal "$(compiled)" $'app/__pycache__/a\napp/__pycache__/b'
}
