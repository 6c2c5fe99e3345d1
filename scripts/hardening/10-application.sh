#!/usr/bin/env bash
# Install the application into the virtual environment of FLARE, as `pip install -r` does for a user.
#
# Parameters:
#   --tree DIR                   the tree to change
#   --venv NAME                  the environment, an absolute path in the guest
#   --requirements FILE          the requirements file; what is relative in it is relative to its folder
#   [--share PATH]...            a file or folder of this host that it names: pip sees it read-only, under its own path
#   [--project DIR]...           a source folder of this host that it names: pip builds from a copy, under its own path
#   [--leave-out PATH]...        what is not copied of a source folder
#   [--allow-conflicts FLAG]     accept packages whose requirements contradict each other
#   [--index-url TEXT]           the package index; pip's own by default
#   [--extra-index-url TEXT]...  further indexes
#   [--find-links DIR]...        folders with wheels
#   [--find-links-url TEXT]...   pages with links to wheels
#   [--no-index FLAG]            take packages from find-links alone
#   [--trusted-host TEXT]...     a host that needs no valid certificate
#   [--proxy TEXT]               the proxy
#   [--cert FILE]                certificates of authorities; those of this host by default
#   [--client-cert FILE]         certificate and key that pip shows to the index
#   [--timeout NUMBER]           seconds that pip waits for the index
#   [--retries NUMBER]           how often pip tries again
#   [--expand NAME]...           stands as ${NAME} in URLs or requirements; standard input has NAME=VALUE, ended by a NUL
#   [--private FLAG]             some URL has credentials: pip must not put URLs on a command line
#   --cache PATH                 where pip keeps what it downloaded between builds
#   --lock NAME                  what is installed, an absolute path in the guest; FLARE is listed there already
#   --source-date-epoch NUMBER   the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package indexes
# Output: the packages and the lock in the tree; nothing of the shared files

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/pip.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/pip.sh"
step "$@"

[[ -x $tree$venv/bin/python3 ]] || die E_IMAGE "the image has no virtual environment at $venv" "build it with nvflare-cc-builder"
pip_open "$tree" "$cache"
pip_begun=$(mktemp)
trap 'rm -f -- "$pip_begun"' EXIT

for path in "${project[@]}"; do pip_share_project "$path" "${leave_out[@]}"; done
pip_share_own "$requirements"
for path in "${share[@]}"; do
	[[ -e $path ]] || die E_PACKAGE "$requirements names '$path', which is not there" "check the path"
	[[ $path == "$requirements" ]] || pip_share_own "$path"
done
log "pip install -r $requirements"
pip_install "$venv" "$requirements" "$(dirname -- "$requirements")"
# A package may bring compiled files: what runs is to be what its sources say. Only what is older than pip's work stays, and
# nobody can set the time that counts here.
find "$tree$venv" -name '*.pyc' -cnewer "$pip_begun" -delete
pip_unshare

if [[ -e $tree$lock ]]; then before=("$tree$lock"); else before=(); fi
python3 "$scripts_dir/lib/pip-lock.py" "${before[@]}" <"$pip_run/report.json" >"$tree$lock.new" 2>"$pip_run/lock.log" ||
	die E_PACKAGE "$(tail -n 1 "$pip_run/lock.log")" "leave it out of the requirements, or build the FLARE image with that version: flare.requirements"
pip_check "$venv" "$allow_conflicts"
mv -- "$tree$lock.new" "$tree$lock"
