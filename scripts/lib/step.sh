# shellcheck shell=bash
# The contract of a step. Every script that changes a tree or a disk sources this file and calls `step "$@"`.
#
# The comment at the head of the script is the contract; people read it with --help, this file parses the
# arguments by it, and the command line tools read the same lines for the plan and for docs/steps.md:
#
#   # One sentence: what the step does.
#   #
#   # Parameters:
#   #   --tree DIR             required, must exist
#   #   [--package NAME]...    optional, may be repeated; arrives as the array package
#   #   [--grow FLAG]          takes no value
#   # Runs in: host | namespace
#   # Network: no | yes
#   # Output: what it leaves behind
#
# Value words: DIR and FILE must exist, PATH need not; all three must be absolute. NUMBER is decimal digits.
# SIZE is bytes. FLAG takes no value (1 when given). Every other word (NAME, TEXT, …) is any non-empty text.
# --root-key FILE becomes the variable root_key; an absent optional one is empty.
#
# "Runs in: namespace" makes the script re-execute itself in a user namespace where it is root over the
# subordinate ids of the caller: no privilege is needed, and every mount and process ends with it.
# "Network: no" holds: the script re-executes itself where there is no network but, in a namespace, its own loopback.

set -Eeuo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# apt reads a proxy's variable in lower case only, and people often set it in upper case only.
for step_proxy in http_proxy https_proxy ftp_proxy all_proxy no_proxy; do
	step_upper=${step_proxy^^}
	[[ -n ${!step_proxy+set} || -z ${!step_upper-} ]] || export "$step_proxy=${!step_upper}"
done
unset step_proxy step_upper

step_script=$(readlink -f -- "$0")
# shellcheck disable=SC2034 # for the steps
scripts_dir=$(readlink -f -- "$(dirname -- "${BASH_SOURCE[0]}")/..")

# The exit status of a subshell that has printed its reason: the shell around it fails without a second message.
step_reported=113

# die CODE MESSAGE [HINT]: the one way a step fails. The calling program reads the code from the first line.
die() {
	printf 'error[%s]: %s\n' "$1" "$2" >&2
	[[ -z ${3-} ]] || printf '  try: %s\n' "$3" >&2
	trap - ERR
	[[ $BASHPID == "$$" ]] || exit "$step_reported"
	exit 1
}

# end_of TEXT: the last 300 characters of what a program said, where the cause stands.
end_of() { printf '%s' "${1:$((${#1} > 300 ? ${#1} - 300 : 0))}"; }

# step_failed STATUS LINE FILE COMMAND: what the ERR trap does. Only the main shell prints: a subshell does not know
# whether its failure stops the step (in `done < <(…)` and in `if x=$(…)` it does not), so it just ends with its status.
step_failed() {
	[[ $BASHPID == "$$" ]] || exit "$1"
	(($1 != step_reported)) || exit 1
	die E_STEP_FAILED "line $2 of ${3##*/}: exit status $1 from: $4"
}

# read_list ARRAY COMMAND...: the lines that COMMAND prints; read_list0: items that end with a NUL byte. Unlike
# `mapfile < <(COMMAND)` they fail where COMMAND fails: an incomplete list is not taken for a whole one.
read_list() { read_items $'\n' "$@"; }
read_list0() { read_items '' "$@"; }
read_items() {
	local items_fd items_pid
	exec {items_fd}< <("${@:3}")
	items_pid=$!
	mapfile -t -d "$1" -u "$items_fd" "$2"
	exec {items_fd}<&-
	wait "$items_pid" || step_failed $? "${BASH_LINENO[1]}" "${BASH_SOURCE[2]}" "${*:3}"
}

# log MESSAGE: one line of progress.
log() { printf '%s\n' "$*" >&2; }

# need TOOL...: the host programs that the step calls.
need() {
	local tool
	for tool in "$@"; do
		command -v -- "$tool" >/dev/null || die E_HOST_TOOL "the program '$tool' is not on this host" \
			"run 'cc-image-test host' to see the packages to install"
	done
}

step_contract() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' -- "$step_script"; }

step_usage() {
	printf 'Usage: %s' "${step_script##*/}"
	step_contract | sed -n '/^Parameters:/,/^[A-Z][a-z ]*: /{s/^  \([[-][^ ]*\( [A-Z]*\]*\)\{0,1\}\(\.\.\.\)\{0,1\}\).*/ \1/p}' | tr -d '\n'
	printf '\n\n'
	step_contract
}

step_check_value() { # NAME WORD VALUE
	[[ -n $3 ]] || die E_STEP_ARGUMENT "--$1: empty value"
	case $2 in
	DIR | FILE | PATH) [[ $3 == /* ]] || die E_STEP_ARGUMENT "--$1: not an absolute path: '$3'" ;;
	esac
	case $2 in
	DIR) [[ -d $3 ]] || die E_STEP_ARGUMENT "--$1: no such directory: '$3'" ;;
	FILE) [[ -f $3 || -p $3 || -c $3 ]] || die E_STEP_ARGUMENT "--$1: no such file: '$3'" ;;
	NUMBER | SIZE) [[ $3 =~ ^[0-9]+$ ]] || die E_STEP_ARGUMENT "--$1: not a whole number: '$3'" ;;
	esac
}

# Its own variables begin with step_: the values arrive in variables that have the names of the parameters.
step_parse() {
	local -A step_word=() step_required=() step_repeat=() step_seen=()
	local step_line step_name step_value step_variable
	while IFS= read -r step_line; do
		[[ $step_line =~ ^\ \ (\[?)--([a-z0-9-]+)\ ([A-Z]+)\]?(\.\.\.)? ]] || continue
		step_name=${BASH_REMATCH[2]} step_variable=${BASH_REMATCH[2]//-/_}
		step_word[$step_name]=${BASH_REMATCH[3]}
		[[ -n ${BASH_REMATCH[1]} ]] || step_required[$step_name]=1
		if [[ -n ${BASH_REMATCH[4]} ]]; then
			step_repeat[$step_name]=1
			declare -ga "$step_variable=()"
		else
			declare -g "$step_variable="
		fi
	done < <(step_contract)

	while (($#)); do
		case $1 in
		--help) step_usage && exit 0 ;;
		--*) step_name=${1#--} ;;
		*) die E_STEP_ARGUMENT "unexpected argument '$1'" "run '$step_script --help'" ;;
		esac
		[[ -n ${step_word[$step_name]-} ]] || die E_STEP_ARGUMENT "unknown parameter '$1'" "run '$step_script --help'"
		if [[ ${step_word[$step_name]} == FLAG ]]; then
			step_value=1
			shift
		else
			(($# >= 2)) || die E_STEP_ARGUMENT "$1 needs a value"
			step_value=$2
			shift 2
		fi
		step_check_value "$step_name" "${step_word[$step_name]}" "$step_value"
		step_variable=${step_name//-/_}
		if [[ -n ${step_repeat[$step_name]-} ]]; then
			local -n step_list=$step_variable
			step_list+=("$step_value")
			unset -n step_list
		else
			[[ -z ${step_seen[$step_name]-} ]] || die E_STEP_ARGUMENT "--$step_name is given twice"
			declare -g "$step_variable=$step_value"
		fi
		step_seen[$step_name]=1
	done
	for step_name in "${!step_required[@]}"; do
		[[ -n ${step_seen[$step_name]-} ]] || die E_STEP_ARGUMENT "--$step_name is required" "run '$step_script --help'"
	done
}

# Enter the namespace by executing the script again. The guard is a variable because the script itself is the
# only thing that is started in there.
step_enter_namespace() {
	local step_offline=() step_place=online
	need unshare setpriv
	((EUID == 0)) || need newuidmap newgidmap
	! step_is 'Network: no' || step_offline=(--offline) step_place=offline
	CC_STEP_NAMESPACE=$step_place exec setpriv --pdeathsig KILL -- \
		bash "$scripts_dir/lib/namespace.sh" "${step_offline[@]}" bash "$step_script" "$@"
}

# The same user, without a network. A host may let nobody do so (AppArmor of Ubuntu 24.04): then the step keeps it. On the
# host steps run our own programs; what packages and trees bring runs in a namespace, or not at all.
step_leave_network() {
	local step_user=(--user --map-current-user)
	need unshare setpriv
	((EUID != 0)) || step_user=()
	unshare "${step_user[@]}" --net -- true 2>/dev/null || return 0
	CC_STEP_NAMESPACE=host exec setpriv --pdeathsig KILL -- unshare "${step_user[@]}" --net -- bash "$step_script" "$@"
}

# Some programs talk to themselves. perl is in every Debian and Ubuntu; SIOCSIFFLAGS with IFF_UP, of netdevice(7).
step_loopback() {
	perl -e 'my $lo = pack("a16 s", "lo", 1); socket(S, 2, 2, 0) and ioctl(S, 0x8914, $lo) or die "the loopback device: $!\n"'
}

step_is() { step_contract | grep -qx -- "$1"; }

# step "$@": move to where the contract says the script runs, and parse the arguments there: in the namespace every
# file of a tree can be seen.
step() {
	if [[ -n ${CC_STEP_NAMESPACE-} ]]; then
		[[ $CC_STEP_NAMESPACE != offline ]] || step_loopback
	elif [[ ${1-} != --help ]]; then
		! step_is 'Runs in: namespace' || step_enter_namespace "$@"
		! step_is 'Network: no' || step_leave_network "$@"
	fi
	unset CC_STEP_NAMESPACE
	step_parse "$@"
	trap 'step_failed $? "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND"' ERR
}
