#!/usr/bin/env bash
# Install the application into the virtual environment of FLARE, as `pip install -r` does for a user.
#
# Parameters:
#   --tree DIR                   the tree to change
#   --venv NAME                  the environment, an absolute path in the guest
#   --requirements FILE          the requirements file; what is relative in it is relative to its folder
#   [--share PATH]...            a file or folder of this host that it names: pip sees it read-only, under its own path
#   [--index-url TEXT]           the package index; pip's own, or the one that this host is configured for, when absent
#   [--extra-index-url TEXT]...  further indexes
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
[[ -z $index_url ]] || pip_options+=(--index-url "$index_url")
for url in "${extra_index_url[@]}"; do pip_options+=(--extra-index-url "$url"); done

pip_share_own "$requirements"
for path in "${share[@]}"; do
	[[ -e $path ]] || die E_PACKAGE "$requirements names '$path', which is not there" "check the path"
	[[ $path == "$requirements" ]] || pip_share_own "$path"
done
log "pip install -r $requirements"
pip_install "$venv" "$requirements" "$(dirname -- "$requirements")"
pip_unshare

# pip remembers where a local file came from; that path means nothing in the guest, and is one of this host.
find "$tree$venv" -path '*.dist-info/direct_url.json' -delete
if [[ -e $tree$lock ]]; then
	python3 "$scripts_dir/lib/pip-lock.py" "$tree$lock" <"$pip_run/report.json" >"$tree$lock.new"
else
	python3 "$scripts_dir/lib/pip-lock.py" <"$pip_run/report.json" >"$tree$lock.new"
fi
mv -- "$tree$lock.new" "$tree$lock"
