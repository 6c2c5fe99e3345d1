#!/usr/bin/env bash
# Decompress an initrd: all archives that the kernel would unpack, one behind the other, as bytes to be searched.
#
# Parameters:
#   --initrd FILE     the initrd of an image
#   --output PATH     the file to write
# Runs in: host
# Network: no
# Output: the file

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

# Every place where a compressed archive may begin, and the program for it: the kernel takes the next one right behind
# the one before, aligned or not (Documentation/driver-api/early-userspace/buffer-format.rst). As much of each header
# is asked for as never changes, so that no program is wanted for bytes that happen to look like three of its own:
# RFC 1952, RFC 8878, the formats of xz, bzip2 and lzop; of lz4 the legacy frame, whose first block is bounded.
archives() {
	python3 -B - "$initrd" <<'PYTHON'
import re, sys
headers = {
    'gzip': rb'\x1f\x8b\x08[\x00-\x1f]',
    'zstd': rb'\x28\xb5\x2f\xfd',
    'xz': rb'\xfd7zXZ\x00',
    'bzip2': rb'BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)',
    'lz4': rb'\x02!L\x18..[\x00-\x80]\x00',
    'lzop': rb'\x89LZO\x00\r\n\x1a\n',
}
with open(sys.argv[1], 'rb') as file:
    data = file.read()
for program, header in headers.items():
    for found in re.finditer(header, data, re.DOTALL):
        print(program, found.start() + 1)
PYTHON
}

read_list found archives
cp -- "$initrd" "$output.partial"
for line in "${found[@]}"; do
	read -r program place <<<"$line"
	need "$program"
	# What follows the archive is not of it, and makes the program complain; what only looked like one ends at once.
	tail -c "+$place" -- "$initrd" | "$program" -dc >>"$output.partial" 2>/dev/null || true
done
mv -- "$output.partial" "$output"
