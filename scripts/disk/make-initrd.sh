#!/usr/bin/env bash
# Append the sealing archive to an initrd: boot.conf and the LUKS headers, as a small uncompressed cpio.
#
# The kernel unpacks concatenated archives one after the other; each must begin at a multiple of 4 bytes
# (Documentation/driver-api/early-userspace/buffer-format.rst).
#
# Parameters:
#   --initrd FILE        the initrd of the operating system
#   --boot-conf FILE     what the guest is told about its partitions
#   [--header FILE]...   a LUKS header, named NAME.luks after its partition
#   [--kbs-ca FILE]      the certificate of the key broker
#   --output PATH        the initrd to make
#   --source-date-epoch NUMBER  the time stamp of the archive, in seconds since 1970
# Runs in: host
# Network: no
# Output: the initrd; standard output: the offset of the archive in it, in bytes

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need cpio

work=$(mktemp -d -- "$output.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
mkdir -p "$work/cc/headers"
install -m 0644 "$boot_conf" "$work/cc/boot.conf"
for file in "${header[@]}"; do
	install -m 0600 "$file" "$work/cc/headers/${file##*/}"
done
if [[ -n $kbs_ca ]]; then
	install -D -m 0644 "$kbs_ca" "$work/cc/kbs/ca.pem"
fi
find "$work/cc" -exec touch --no-dereference --date "@$source_date_epoch" {} +

cat -- "$initrd" >"$output.partial"
size=$(stat -c %s -- "$output.partial")
offset=$(((size + 511) / 512 * 512))
truncate -s "$offset" "$output.partial"
(cd "$work" && find cc -print0 | LC_ALL=C sort -z |
	cpio --quiet --null --create --format=newc --reproducible --owner=+0:+0) >>"$output.partial"
mv -- "$output.partial" "$output"
printf '%s\n' "$offset"
