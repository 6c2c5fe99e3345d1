#!/usr/bin/env bash
# Install a tool from the Python package index into a virtual environment of the host, once.
#
# Parameters:
#   --venv PATH             the environment to make; where it is there already nothing is done
#   --requirement TEXT...   what pip installs, each with its version
#   [--index-url TEXT]      the package index; pip's own, or the one that this host is configured for, when absent
# Runs in: host
# Network: the package index
# Output: the environment

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need python3
[[ ! -e $venv/complete ]] || exit 0

for word in "${requirement[@]}"; do
	[[ $word != -* ]] || die E_CONFIG "not a requirement: '$word'" "correct launch.toolRequirements in cc.yaml"
done
mkdir -p -- "${venv%/*}"
# Several measure at a time; the first one installs.
exec 9>"$venv.lock"
flock 9
[[ ! -e $venv/complete ]] || exit 0
rm -rf -- "$venv"
message=$(python3 -m venv "$venv" 2>&1) || die E_HOST_TOOL "python3 cannot make a virtual environment: ${message:0:300}" \
	"sudo apt-get install --yes python3-venv, or name a tool: launch.tool in cc.yaml"
message=$("$venv/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check \
	${index_url:+"--index-url=$index_url"} -- "${requirement[@]}" 2>&1) || {
	rm -rf -- "$venv"
	case $message in
	*NewConnectionError* | *NameResolutionError* | *ConnectTimeoutError* | *ProxyError* | *'Max retries exceeded'*)
		die E_NETWORK "the package index cannot be reached: ${message:0:300}" "check the network, or name a tool: launch.tool in cc.yaml"
		;;
	esac
	die E_PACKAGE "pip: $(end_of "$message")" "correct launch.toolRequirements in cc.yaml, or name a tool: launch.tool"
}
: >"$venv/complete"
