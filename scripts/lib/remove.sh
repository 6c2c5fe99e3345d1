# shellcheck shell=bash
# Removing packages from a tree. Sourced after step.sh and tree.sh.

# unwanted_read STAGES: fill unwanted_globs, unwanted_units, unwanted_paths and unwanted_reason (by the word) from
# unwanted.txt; without the groups that the array keep names.
unwanted_read() {
	local stage group what reason
	unwanted_globs=() unwanted_units=() unwanted_paths=()
	declare -gA unwanted_reason=()
	while read -r stage group what reason; do
		[[ -n $stage && $stage != '#'* && " $1 " == *" $stage "* && " ${keep[*]-} " != *" $group "* ]] || continue
		# shellcheck disable=SC2034 # for the steps
		unwanted_reason[$what]=$reason
		case $what in
		/*) unwanted_paths+=("$what") ;;
		*.service | *.socket | *.timer | *.target) unwanted_units+=("$what") ;;
		*) unwanted_globs+=("$what") ;;
		esac
	done <"$scripts_dir/lib/unwanted.txt"
	((${#unwanted_globs[@]})) || die E_STEP_FAILED "$scripts_dir/lib/unwanted.txt names no package" "install cc-scripts again"
}

# unwanted_installed TREE: the packages of the tree that the list names, a line "PACKAGE GLOB" each. Also those that were
# removed and have left their configuration.
unwanted_installed() {
	local state name glob listed
	# shellcheck disable=SC2016 # dpkg's own variables
	listed=$(dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${db:Status-Abbrev} ${binary:Package}\n')
	[[ -n $listed ]] || die E_IMAGE "the tree has no list of its packages: $1/var/lib/dpkg/status"
	while read -r state name; do
		# Second letter: n is not installed.
		[[ -n $name && $state != ?n* ]] || continue
		for glob in "${unwanted_globs[@]}"; do
			# shellcheck disable=SC2053 # a pattern
			[[ ${name%%:*} == $glob ]] || continue
			printf '%s %s\n' "$name" "$glob"
			break
		done
	done <<<"$listed"
}

# removal_blame LOG HINT: fail with the packages that dpkg could not remove, and what their scripts said.
removal_blame() {
	local names package words
	names=$(sed -nE 's/^dpkg: error processing (package|archive) ([^ ]+) .*/\2/p' "$1" | sort -u)
	[[ -n $names ]] || die E_PACKAGE "packages cannot be removed: $(grep -E '^(E: |dpkg: )' "$1" | tail -n 3 | paste -sd ' ')" "$2"
	package=${names%%$'\n'*}
	# Its script speaks between the line that names the package and the error.
	words=$(awk -v name="${package%%:*}" '
		/^(Removing|Purging configuration files for) / { split($0, part, /[ (]+/); said = ""; on = index($0, " " name " (") || index($0, " " name ":") }
		/^dpkg: error processing / { if (index($0, " " name " (") || index($0, " " name ":")) { getline; print said $0; exit } said = ""; next }
		on && !/^(Removing|Purging)/ { said = said $0 " · " }' "$1")
	die E_PACKAGE "'${names//$'\n'/\', \'}' cannot be removed: $words" "$2"
}
