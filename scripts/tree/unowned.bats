#!/usr/bin/env bats
# What of a tree belongs to nothing that is listed, on small trees as dpkg, pip and people leave them.

# shellcheck disable=SC2016 # expands in there
load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree
	as_user mkdir -p "$tree"/{var/lib/dpkg/info,usr/bin,usr/lib/python3/x,etc,srv,opt/v/lib/python3.11/site-packages/{foo/__pycache__,foo-1.dist-info},opt/v/bin}
	as_user bash -c 'cd "$1" && printf "%s\n" /. /bin /bin/owned /usr/bin/diverted /usr/lib/python3/x/m.py >var/lib/dpkg/info/a:amd64.list
		printf "%s\n" /usr/bin/diverted /usr/bin/diverted.real b >var/lib/dpkg/diversions
		for file in usr/bin/owned usr/bin/diverted usr/bin/diverted.real usr/lib/python3/x/m.py; do echo x >"$file"; done
		printf "%s\n" "foo/__init__.py,sha256=x,1" "\"foo/a, b.py\",," ../../../bin/foo foo-1.dist-info/RECORD,, >"$2"/foo-1.dist-info/RECORD
		touch "$2"/foo/__init__.py "$2/foo/a, b.py" opt/v/bin/foo "$2"/foo/__pycache__/__init__.cpython-311.pyc
		ln -s /nowhere etc/link' - "$tree" opt/v/lib/python3.11/site-packages
	printf '/var/lib/dpkg/*  what is installed\n# a comment\n/etc/made*  by a script\n' | as_user tee "$dir/known" >/dev/null
}

unowned() { step list-unowned --tree "$tree" --known "$dir/known"; }

@test "what dpkg, pip, Python and known makers have put there is owned" {
	as_user touch "$tree/etc/made.cache"
	unowned
	((status == 0)) && [[ -z $output ]] || { echo "$output" && return 1; }
}

@test "everything else is named, and programs as such" {
	as_user bash -c 'cd "$1" && echo x >etc/secret && printf "\x7fELF..." >srv/lib.so && echo "#!/bin/sh" >usr/bin/back && chmod 755 usr/bin/back
		echo x >"$2"/foo/__pycache__/hidden.cpython-311.pyc && echo x >"$2"/foo/extra.py' - "$tree" opt/v/lib/python3.11/site-packages
	as_user python3 -c 'import sys; open(sys.argv[1] + "/srv/a\nb\\c", "w")' "$tree"
	unowned
	equal "$output" 'file /etc/secret
file /opt/v/lib/python3.11/site-packages/foo/extra.py
file /opt/v/lib/python3.11/site-packages/foo/__pycache__/hidden.cpython-311.pyc
file /srv/a\nb\\c
program /srv/lib.so
program /usr/bin/back'
}

@test "a package that lists nothing owns nothing, and a tree without dpkg is all unowned" {
	as_user rm -r "$tree/var/lib/dpkg"
	unowned
	[[ $output == *'file /usr/bin/owned'* && $output == *'file /usr/lib/python3/x/m.py'* && $output != */opt/v* ]] || { echo "$output" && return 1; }
}

@test "a link leads to no list of this host, and a distribution owns nothing outside of its environment" {
	as_user bash -c 'cd "$1" && mkdir -p opt/x-1.dist-info && echo "../usr/bin/evil,," >opt/x-1.dist-info/RECORD && echo x >usr/bin/evil
		echo "../../../../../usr/bin/other,," >>"$2"/foo-1.dist-info/RECORD && echo x >usr/bin/other
		rm -r var/lib/dpkg/info && ln -s "$3/lists" var/lib/dpkg/info' - "$tree" opt/v/lib/python3.11/site-packages "$dir"
	as_user bash -c 'mkdir "$1/lists" && echo /usr/bin/owned >"$1/lists/host.list"' - "$dir"
	unowned
	[[ $output == *'file /usr/bin/evil'* && $output == *'file /usr/bin/other'* && $output == *'file /usr/bin/owned'* ]] || { echo "$output" && return 1; }
}
