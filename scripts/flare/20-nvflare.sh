#!/usr/bin/env bash
# Install NVIDIA FLARE into a virtual environment of the tree's own Python.
#
# Parameters:
#   --tree DIR                   the tree to change
#   --venv NAME                  where the environment is, an absolute path in the guest
#   --requirement TEXT...        a line of a requirements file, for example nvflare==2.9.0
#   [--index-url TEXT]           the package index; pip's own, or the one that this host is configured for, when absent
#   [--extra-index-url TEXT]...  further indexes
#   [--find-links DIR]...        folders with wheels
#   [--wheel FILE]...            wheels to install by themselves
#   --cache PATH                 where pip keeps what it downloaded between builds
#   --lock NAME                  what was installed, as pip reports it: an absolute path in the guest
#   --source-date-epoch NUMBER   the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package indexes
# Output: the environment and the lock in the tree

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/pip.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/pip.sh"
step "$@"

pip_open "$tree" "$cache"
for index in "${!find_links[@]}"; do
	pip_share "${find_links[index]}" "links-$index"
	pip_options+=(--find-links "/run/cc-pip/links-$index")
done
for url in "${extra_index_url[@]}"; do pip_options+=(--extra-index-url "$url"); done
[[ -z $index_url ]] || pip_options+=(--index-url "$index_url")
mkdir "$pip_run/wheels"
for file in "${wheel[@]}"; do
	cp -- "$file" "$pip_run/wheels/"
	requirement+=("/run/cc-pip/wheels/${file##*/}")
done
# A file, since hashes are not taken from the command line.
printf '%s\n' "${requirement[@]}" >"$pip_run/requirements.txt"

in_tree "$tree" python3 -m venv --clear "$venv" >"$pip_run/venv.log" 2>&1 ||
	die E_PACKAGE "python3 -m venv: $(tail -n 1 "$pip_run/venv.log")" "the tree needs python3-venv: flare.packages in cc.yaml"
log "pip install ${requirement[*]}"
pip_install "$venv" /run/cc-pip/requirements.txt /
mkdir -p "$(dirname -- "$tree$lock")"
python3 "$scripts_dir/lib/pip-lock.py" <"$pip_run/report.json" >"$tree$lock"
