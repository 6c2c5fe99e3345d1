#!/usr/bin/env bash
# Install NVIDIA's attestation SDK into a virtual environment of its own.
#
# Parameters:
#   --tree DIR                   the tree to change
#   --venv NAME                  where the environment is, an absolute path in the guest
#   --requirement TEXT...        a line of a requirements file; all that is needed, nothing is added
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
#   --lock NAME                  what was installed, as pip reports it: an absolute path in the guest
#   --source-date-epoch NUMBER   the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: the package index
# Output: the environment and the lock in the tree; the SDK can be imported

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/pip.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/pip.sh"
step "$@"

# shellcheck disable=SC2034 # for messages of lib/pip.sh
pip_section=attestation.sdk
pip_open "$tree" "$cache"
# The requirements are complete: what the SDK asks for beyond them are test tools and versions that no longer install.
pip_options+=(--no-deps)
# A file, since hashes are not taken from the command line.
printf '%s\n' "${requirement[@]}" >"$pip_run/requirements.txt"
pip_venv "$venv"
log "pip install ${requirement[*]}"
pip_install "$venv" /run/cc-pip/requirements.txt /
mkdir -p "$(dirname -- "$tree$lock")"
python3 "$scripts_dir/lib/pip-lock.py" <"$pip_run/report.json" >"$tree$lock"
# -I: nothing of the environment; from /run, since the SDK writes a log to where it is started.
message=$(in_tree "$tree" sh -c "cd /run/cc-pip && $venv/bin/python -I -W ignore -c 'import nv_attestation_sdk.attestation, verifier.cc_admin'" 2>&1) ||
	die E_PACKAGE "the SDK cannot be imported: ${message##*$'\n'}" "check attestation.sdk.requirements"
