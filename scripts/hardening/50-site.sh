#!/usr/bin/env bash
# Fill a folder with what belongs to one site: its rules, its start-up kit, its keys. It becomes the partition cc-ro.
#
# Parameters:
#   --output PATH         the folder; what is in it goes
#   --setting TEXT...     a line of site.conf: key=value
#   [--kit DIR]           the start-up kit of NVIDIA FLARE
#   [--input-key FILE]    key of the disk nvflare-input
#   [--output-key FILE]   key of the disk nvflare-output
#   --gid NUMBER          the group that may read the kit
#   --source-date-epoch NUMBER  the time stamp of everything in it, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the folder: site.conf, kit/, keys/

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

mkdir -p -- "$output"
find "$output" -mindepth 1 -delete
printf '%s\n' "${setting[@]}" >"$output/site.conf"
chmod 644 "$output/site.conf"
install -d -m 0700 "$output/keys"
for name in input output; do
	declare -n file=${name}_key
	[[ -z $file ]] || install -m 0600 "$file" "$output/keys/$name.key"
	unset -n file
done
install -d -m 0750 "$output/kit"
if [[ -n $kit ]]; then
	[[ -d $kit/startup ]] || die E_CONFIG "$kit is not a start-up kit: it has no folder 'startup'" "name the folder of one participant, as nvflare provision writes it"
	links=$(find "$kit" -type l -print -quit)
	[[ -z $links ]] || die E_CONFIG "the start-up kit has a link, $links, which means nothing in the guest" "put the file in its place"
	cp -R --no-preserve=ownership -- "$kit/." "$output/kit/"
	# The group reads, and runs what its owner could run; nobody writes.
	chmod -R u=rwX,g=rX,o= "$output/kit"
fi
chgrp -R "$gid" "$output/kit"
find "$output" -exec touch --no-dereference --date "@$source_date_epoch" {} +
