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

# Wherever a compressed archive may begin: the kernel takes the next one right behind the one before, aligned or not
# (Documentation/driver-api/early-userspace/buffer-format.rst). What only looks like one decompresses to nothing.
python3 -B - "$initrd" "$output.partial" <<'PYTHON' || die E_HOST_TOOL "$initrd cannot be decompressed on this host" "install the program that is named above"
import subprocess, sys
initrd, output = sys.argv[1:]
magics = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"\x02!L\x18": "lz4", b"\x89LZO": "lzop"}
data = open(initrd, "rb").read()
with open(output, "wb") as file:
    file.write(data)
    file.flush()
    for magic, program in magics.items():
        place = data.find(magic)
        while place >= 0:
            # What follows the archive is not of it, and makes the program complain.
            try:
                done = subprocess.run([program, "-dc"], input=data[place:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            except FileNotFoundError:
                sys.exit(f"this host has no program '{program}'")
            file.write(done.stdout)
            place = data.find(magic, place + 1)
PYTHON
mv -- "$output.partial" "$output"
