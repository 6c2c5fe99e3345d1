#!/usr/bin/env bats
# The application is installed by a real pip with the Python of this host, whose /usr is the tree's; without a network.

# shellcheck disable=SC2016 # names that pip expands
load ../test/lib.bash

setup() {
	setup_user
	tree=$dir/tree app=$dir/app
	as_user mkdir -p "$tree"/{dev,proc,sys,tmp,run,root,etc,usr,var,opt,srv} "$app/wheels" "$dir/cache"
	for link in bin sbin lib lib64; do as_user ln -s "usr/$link" "$tree/$link"; done
	wheel nvflare 2.9.0 'protobuf>=4'
	wheel protobuf 4.1
	wheel protobuf 3.20.3
	wheel six 1.0
	run application --requirements "$(requirements nvflare protobuf)"
	((status == 0)) || { echo "$output" && return 1; }
}
teardown() { remove_trees; }

# wheel NAME VERSION [REQUIREMENT]: $app/wheels has it.
wheel() {
	as_user python3 - "$app/wheels" "$@" <<-'PYTHON'
		import sys, zipfile
		folder, name, version, *requires = sys.argv[1:]
		info = f"{name}-{version}.dist-info"
		with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
		    wheel.writestr(f"{name}.py", f"version = '{version}'\n")
		    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" +
		                   "".join(f"Requires-Dist: {line}\n" for line in requires))
		    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
		    wheel.writestr(f"{info}/RECORD", "")
	PYTHON
}

# requirements LINE...: the name of a file with them.
requirements() {
	printf '%s\n' --no-index '--find-links wheels' "$@" | as_user tee "$app/requirements.txt" >/dev/null
	echo "$app/requirements.txt"
}

# application ARGUMENT...: run the step, in a tree that has the programs of this host.
application() {
	in_namespace unshare --pid --fork --kill-child=KILL --mount-proc bash -c 'mount --rbind /usr "$1/usr" && shift
		[[ -x $1/opt/venv/bin/python3 ]] || /usr/bin/python3 -m venv --without-pip "$1/opt/venv"
		export CC_STEP_NAMESPACE=1 && shift && exec bash "$@"' - \
		"$tree" "$tree" "$source_dir/10-application.sh" --tree "$tree" --venv /opt/venv --share "$app/wheels" \
		--cache "$dir/cache" --lock /srv/python.json --source-date-epoch 1700000000 "$@"
}

installed() { in_namespace jq -r '.[] | "\(.name) \(.version)"' "$tree/srv/python.json"; }

@test "packages are installed without any pip in the environment" {
	equal "$(installed)" $'nvflare 2.9.0\nprotobuf 4.1'
	run -0 in_namespace find "$tree/opt/venv" "$tree/run" -name 'pip*' -o -name direct_url.json
	equal "$output" ''
}

# custom ARGUMENT...: put the folder $app/code into the tree, which has the programs of this host.
custom() {
	in_namespace unshare --pid --fork --kill-child=KILL --mount-proc bash -c 'mount --rbind /usr "$1/usr" && shift
		export CC_STEP_NAMESPACE=1 && exec bash "$@"' - \
		"$tree" "$source_dir/12-custom.sh" --tree "$tree" --source "$app/code" --folder /local/custom --source-date-epoch 1700000000
}

@test "code of the application is where FLARE looks for it, for everybody to read and for nobody to write" {
	as_user bash -c 'mkdir -p "$1/code/net/__pycache__" && cd "$1/code" && echo x=1 >net/model.py && echo x=2 >"a b.py" && touch net/__pycache__/model.pyc &&
		chmod 4777 net/model.py && chmod 700 net' - "$app"
	run custom
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(in_namespace find "$tree/local/custom" -printf '%P %m %U %T@\n' | sort)" " 755 0 1700000000.0000000000
a b.py 644 0 1700000000.0000000000
net 755 0 1700000000.0000000000
net/model.py 644 0 1700000000.0000000000"
	local refused
	for refused in 'ln -s /etc/shadow link' 'mkfifo pipe' 'mkdir .git' 'touch net/.env' 'touch net/id_ed25519'; do
		as_user bash -c "cd '$app/code' && $refused"
		run custom
		[[ $status != 0 && $output == *'error[E_CONFIG]: hardening.application: '*"code/${refused##* }"* ]] || { echo "$output" && return 1; }
		as_user rm -rf "$app/code/link" "$app/code/pipe" "$app/code/.git" "$app/code/net/.env" "$app/code/net/id_ed25519"
	done
	as_user rm -r "$app/code/net" "$app/code/a b.py"
	run custom
	[[ $status != 0 && $output == *"there is no file in '$app/code'"* ]]
}

@test "compiled files that a package brings do not stay; those that were there do" {
	local tag caches
	caches=$(in_namespace bash -c 'echo "$1"/opt/venv/lib/python3*' - "$tree")/site-packages/__pycache__
	tag=$(python3 -c 'import sys; print(sys.implementation.cache_tag)')
	in_namespace bash -c 'mkdir -p "$1" && touch "$1/nvflare.pyc"' - "$caches"
	as_user python3 - "$app/wheels/six-1.0-py3-none-any.whl" "$tag" <<-'PYTHON'
		import importlib.util, marshal, sys, zipfile
		path, tag = sys.argv[1:]
		head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(b"version = '1.0'\n")
		with zipfile.ZipFile(path, "a") as wheel:
		    wheel.writestr(zipfile.ZipInfo(f"__pycache__/six.{tag}.pyc", (1999, 1, 1, 0, 0, 0)), head + marshal.dumps(compile("evil = 1", "six.py", "exec")))
	PYTHON
	run application --requirements "$(requirements six)"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(in_namespace ls "$caches")" nvflare.pyc
}

@test "a requirement that breaks another one is refused with the words of pip check, unless it is insisted on" {
	run application --requirements "$(requirements protobuf==3.20.3)"
	failed_with E_PACKAGE 'nvflare 2.9.0 has requirement protobuf>=4'
	run -0 in_namespace rm -r "$tree/srv/python.json" "$tree/opt/venv"
	run application --requirements "$(requirements nvflare)"
	run application --allow-conflicts --requirements "$(requirements protobuf==3.20.3)"
	((status == 0)) || { echo "$output" && return 1; }
	equal "$(installed)" $'nvflare 2.9.0\nprotobuf 3.20.3'
}

@test "the FLARE of the image is not replaced, by whatever name" {
	wheel nvflare 2.5.2
	wheel meta 1 'nvflare<2.6'
	run application --requirements "$(requirements meta)"
	failed_with E_PACKAGE 'replace the FLARE of the image, nvflare 2.9.0, by nvflare 2.5.2'
	wheel nvflare_nightly 2.9
	run application --requirements "$(requirements nvflare-nightly)"
	failed_with E_PACKAGE 'by nvflare 2.9.0, nvflare'
}

@test "a source folder is built from a copy, without what is left out, and with -e, too" {
	as_user tee "$app/pyproject.toml" >/dev/null <<-'EOF2'
		[build-system]
		requires = []
		build-backend = "backend"
		backend-path = ["."]
	EOF2
	# As setuptools does, it writes beside the sources.
	as_user tee "$app/backend.py" >/dev/null <<-'EOF2'
		import glob, os, shutil
		def environments():
		    for name in glob.glob("/proc/[0-9]*/environ"):
		        try:
		            with open(name, "rb") as file: yield file.read()
		        except OSError: pass  # it has ended
		def build_wheel(folder, config_settings=None, metadata_directory=None):
		    os.mkdir("app.egg-info")
		    assert not os.path.exists("build"), "left out"
		    seen = list(environments())
		    assert len(seen) > 2 and not any(b"s3cr3t" in text for text in seen), "secret"
		    name = "six-1.0-py3-none-any.whl"
		    shutil.copy(os.path.join("wheels", name), os.path.join(folder, name))
		    return name
		build_editable = None
	EOF2
	as_user mkdir "$app/build"
	for line in . '-e .'; do
		run application --requirements "$(requirements "$line")" --project "$app" --leave-out "$app/build" \
			--expand INDEX_TOKEN < <(printf 'INDEX_TOKEN=s3cr3t\0')
		((status == 0)) || { echo "$output" && return 1; }
		[[ $(installed) == *'six 1.0'* && ! -e $app/app.egg-info ]]
		[[ -z $(in_namespace find "$tree$dir" "$dir/cache/projects" "$tree/opt/venv" -name '*.pth' -o -name app 2>/dev/null) ]]
		run -0 in_namespace rm -r "$tree/srv/python.json" "$tree/opt/venv"
	done
}

@test "a variable is expanded by pip, and its value is in no log" {
	as_user mv "$app/wheels/six-1.0-py3-none-any.whl" "$app/six-1.0+s3cr3t-py3-none-any.whl"
	run application --requirements "$(requirements './six-1.0+${INDEX_TOKEN}-py3-none-any.whl')" \
		--share "$app/six-1.0+s3cr3t-py3-none-any.whl" --expand INDEX_TOKEN < <(printf 'INDEX_TOKEN=s3cr3t\0')
	[[ $output != *s3cr3t* && $output == *'****'* ]] || { echo "$output" && return 1; }
	run application --requirements "$(requirements six)" --expand INDEX_TOKEN </dev/null
	failed_with E_CONFIG "the variable 'INDEX_TOKEN' has no value"
}

@test "another pip than ours is refused" {
	as_user cp -r "$source_dir/.." "$dir/scripts"
	as_user bash -c 'echo >>"$1"/vendor/pip-*.whl' - "$dir/scripts"
	source_dir=$dir/scripts/hardening
	run application --requirements "$(requirements six)"
	failed_with E_SHA256 'expected'
}
