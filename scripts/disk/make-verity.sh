#!/usr/bin/env bash
# Append the dm-verity hash tree to a file. There is no superblock: the disk is not where parameters are read from.
#
# Parameters:
#   --data FILE     the content; its size is a multiple of 4096. The tree is appended
#   --salt TEXT     64 hexadecimal digits
#   --report PATH   JSON with rootHash, salt and blocks (of 4096 bytes)
# Runs in: host
# Network: no
# Output: the file, longer; the report

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"
need veritysetup

size=$(stat -c %s -- "$data")
((size > 0 && size % 4096 == 0)) || die E_STEP_ARGUMENT "--data: $size bytes is not a multiple of 4096"
[[ $salt =~ ^[0-9a-f]{64}$ ]] || die E_STEP_ARGUMENT "--salt: not 64 hexadecimal digits: '$salt'"
blocks=$((size / 4096))

output=$(veritysetup format --no-superblock --format 1 --hash sha256 --data-block-size 4096 --hash-block-size 4096 \
	--data-blocks "$blocks" --hash-offset "$size" --salt "$salt" "$data" "$data" 2>&1) ||
	die E_STEP_FAILED "veritysetup format: $output"
root_hash=$(sed -n 's/^Root hash:[[:space:]]*//p' <<<"$output")
[[ $root_hash =~ ^[0-9a-f]{64}$ ]] || die E_STEP_FAILED "veritysetup printed no root hash: $output"
printf '{"rootHash":"%s","salt":"%s","blocks":%s}\n' "$root_hash" "$salt" "$blocks" >"$report"
