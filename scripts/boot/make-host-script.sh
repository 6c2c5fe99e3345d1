#!/usr/bin/env bash
# Make one script that needs no other file out of a script and what it sources.
#
# Parameters:
#   --script FILE    the script; each line ". "$here/PATH"" is replaced by that file, relative to the script
#   --output PATH    the script to make
# Runs in: host
# Network: no
# Output: the script, mode 0755

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

folder=$(dirname -- "$script")
trap 'rm -f -- "$output.partial"' EXIT
while IFS= read -r line; do
	# shellcheck disable=SC2016 # the text of a line
	if [[ $line =~ ^\.\ \"\$here/([A-Za-z0-9/_.-]+)\"$ ]]; then
		[[ -f $folder/${BASH_REMATCH[1]} ]] || die E_STEP_FAILED "$script sources ${BASH_REMATCH[1]}, which is not there"
		# Without what is only for the file itself.
		sed -e '/^# shellcheck shell=/d' -- "$folder/${BASH_REMATCH[1]}"
	elif [[ $line != '# shellcheck source='* && $line != 'here='* ]]; then
		printf '%s\n' "$line"
	fi
done <"$script" >"$output.partial"
bash -n -- "$output.partial" || die E_STEP_FAILED "$script and its parts are not a script"
chmod 0755 "$output.partial"
mv -- "$output.partial" "$output"
