# shellcheck shell=bash
# The named entry points of this folder are our commands under the names that people know. Sourced by them.

# run_command NAME ARGUMENT...: the command of that package, from a checkout, from beside this package in
# node_modules, or from the search path.
run_command() {
	local name=$1 scripts program
	shift
	scripts=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/..
	for program in "$scripts/../packages/$name/bin/run.js" "$scripts/../$name/bin/run.js"; do
		[[ ! -f $program ]] || exec node "$program" "$@"
	done
	program=$(command -v -- "$name") || {
		printf 'error[E_HOST_TOOL]: %s is not installed\n  try: npm install %s\n' "$name" "$name" >&2
		exit 3
	}
	exec "$program" "$@"
}
