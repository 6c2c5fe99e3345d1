# shellcheck shell=bash
# Programs of the guest, to be tried on a folder that stands in for its file system.

# guest_programs ROOT: in every program below ROOT, let ROOT stand in for the file system. The programs themselves have no
# such switch: whoever can set an environment in a guest must not be able to lead them elsewhere.
guest_programs() {
	local file
	while IFS= read -r -d '' file; do
		sed -i -E "s,^R=''\$,R='$1',; s,^\. /(usr/lib/cc|opt/flare)/,. $1/\1/," "$file"
	done < <(grep -rlZE "^(R=''|\. /(usr/lib/cc|opt/flare)/)" "$1")
	file=$1/usr/lib/cc/lib/console.sh
	# The machine that runs the tests stays on, and a failed program ends at once.
	# shellcheck disable=SC2016 # for the shell of the guest
	[[ ! -e $file ]] || printf 'power_off() {\n\tprintf o >"$R/proc/sysrq-trigger" 2>/dev/null\n\texit 1\n}\n' >>"$file"
}
