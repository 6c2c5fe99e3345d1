#!/usr/bin/env bash
# Pack an image directory as the bundle that nvflare provision hands to the administrator of a host.
#
# Parameters:
#   --image DIR           the image directory, self-contained
#   --name TEXT           the folder in the bundle, for example cvm_site-1
#   --launcher FILE       goes along as launch_vm.sh
#   --readme FILE         goes along as README.txt
#   [--log-size NUMBER]   an empty disk for the log of FLARE goes along, of that many GiB
#   [--keys FLAG]         the keys go along: the host starts a development image with them
#   --output PATH         the archive, a .tgz
#   --source-date-epoch NUMBER  the time stamp of everything in it, in seconds since 1970
# Runs in: host
# Network: no
# Output: the archive, mode 0600

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need tar python3

[[ $name =~ ^[A-Za-z0-9_@.-]+$ && $name != .* ]] || die E_STEP_ARGUMENT "--name: not a plain name: '$name'"
# It may have keys in it.
umask 077
work=$output.files
rm -rf -- "$work"
mkdir -- "$work"
trap 'rm -rf -- "$work" "$output.partial"' EXIT
install -m 0755 -- "$launcher" "$work/launch_vm.sh"
install -m 0644 -- "$readme" "$work/README.txt"
[[ -z $log_size ]] || truncate -s "${log_size}G" "$work/applog.raw"
left_out=()
[[ -n $keys ]] || left_out=(--exclude ./keys)

# Level 0: the content is encrypted or compressed already.
store='import gzip, shutil, sys
with gzip.GzipFile("", "wb", 0, sys.stdout.buffer, int(sys.argv[1])) as archive:
    shutil.copyfileobj(sys.stdin.buffer, archive, 1 << 20)'
tar --create --sparse --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$source_date_epoch" \
	--transform "s,^\./,$name/,S" --transform "s,^\.$,$name,S" "${left_out[@]}" \
	--directory "$image" . --directory "$work" ./launch_vm.sh ./README.txt ${log_size:+./applog.raw} |
	python3 -c "$store" "$source_date_epoch" >"$output.partial" ||
	die E_STEP_FAILED "the bundle cannot be written to $output" "free some space, or choose another --output"
sync -- "$output.partial"
mv -- "$output.partial" "$output"
