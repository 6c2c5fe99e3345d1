#!/usr/bin/env bash
# Encrypt a partition in place in a real kernel, and lose power at random moments.
#
#   in-place-kills.sh IMAGE WORK KILLS [SEED]
#
# Takes kernel and initrd of the image directory IMAGE. An archive behind the initrd opens the partition cc-ro by the
# programs of the image, with a key source of its own, says what it has read, and powers off. QEMU is killed KILLS times
# while the guest encrypts; then it is left alone. At the end the content has to be the same, and the disk another.
# Prints one line of JSON.
set -Eeuo pipefail
image=$1 work=$2 kills=$3 RANDOM=${4-1}
scripts=${CC_SCRIPTS:?folder of the steps}
mkdir -p "$work/content" "$work/initrd/cc" "$work/initrd/scripts" "$work/initrd/usr/lib/cc/key-source" "$work/initrd/usr/bin"

# The content: 22 MiB that cannot be guessed, so that no chunk is like another, and the last one is not full.
head -c $((22 * 1048576 + 5000)) /dev/urandom >"$work/content/data"
bash "$scripts/disk/make-filesystem.sh" --content "$work/content" --output "$work/plain" --label cc-ro \
	--uuid 5a3e1f6c-0000-4000-8000-000000000001 --seed 5a3e1f6c-0000-4000-8000-000000000002 --read-only --source-date-epoch 1704067200 >/dev/null 2>&1
salt=$(printf '%064d' 7)
data_bytes=$(stat -c %s "$work/plain")
bash "$scripts/disk/make-verity.sh" --data "$work/plain" --salt "$salt" --report "$work/verity.json" >/dev/null
root_hash=$(jq -r .rootHash "$work/verity.json")
chunk=4194304
journal=$((($(stat -c %s "$work/plain") + chunk - 1) / chunk * chunk))
sectors=$(((journal + chunk) / 512))
truncate -s $(((2048 + sectors + 2048) * 512)) "$work/disk"
printf 'label: gpt\nstart=2048, size=%s, name="cc-ro"\n' "$sectors" | sfdisk -q "$work/disk"
dd if="$work/plain" of="$work/disk" bs=1M seek=1 conv=notrunc status=none

cat >"$work/initrd/cc/boot.conf" <<CONF
version=1
profile=development
cmdline=$(cat "$image/cmdline")
partitions=cc-ro
cc-ro.encryption=luks2
cc-ro.integrity=verity
cc-ro.header=none
cc-ro.key=test
cc-ro.journal-offset=$journal
cc-ro.verity-root-hash=$root_hash
cc-ro.verity-salt=$salt
cc-ro.verity-blocks=$((data_bytes / 4096))
cc-ro.verify=boot
CONF
printf '#!/bin/sh\nprintf "%%s" %s\n' "$(printf 'k%.0s' {1..40})0123456789abcdef01234567" >"$work/initrd/usr/lib/cc/key-source/test"
cat >"$work/initrd/scripts/cc" <<'GUEST'
panic() { /usr/lib/cc/power-off "$*"; }
mountroot() {
	wait_for_udev 10
	exec /bin/sh /test >/dev/console 2>&1
}
GUEST
cat >"$work/initrd/test" <<'GUEST'
for lib in console boot-conf verity in-place partition; do . "/usr/lib/cc/lib/$lib.sh"; done
CONF=/cc/boot.conf HEADERS=/cc/headers partition=cc-ro
mkdir -m 0700 /run/cc
open_partition
echo "CC-TEST $STATE $(sha256sum <"$DEVICE")"
power_off
GUEST
cp "$(command -v sha256sum)" "$work/initrd/usr/bin/"
ldd "$(command -v sha256sum)" | grep -o '/[^ ]*' | while IFS= read -r library; do cp --parents -L "$library" "$work/initrd/"; done
# A folder of the archive would take the place of a link of the initrd.
for folder in lib lib64; do
	[[ ! -d $work/initrd/$folder ]] || { mkdir -p "$work/initrd/usr/$folder" && cp -r "$work/initrd/$folder/." "$work/initrd/usr/$folder/" && rm -r "${work:?}/initrd/$folder"; }
done
# The programs under test: those of the scripts, which the image was made from.
cp -r "$scripts/guest/cc/lib" "$work/initrd/usr/lib/cc/"
chmod -R a+rX "$work/initrd"
chmod 755 "$work/initrd/usr/lib/cc/key-source/test"
cp "$image/initrd.img" "$work/initrd.img"
chmod u+w "$work/initrd.img"
truncate -s %512 "$work/initrd.img"
(cd "$work/initrd" && find . | cpio --quiet -o -H newc) >>"$work/initrd.img"

# run KILL_AFTER: start the machine; kill it that many milliseconds after it has begun to encrypt. 0: never.
run() {
	: >"$work/console"
	timeout 900 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 512 -nodefaults -no-reboot -display none \
		-serial "file:$work/console" -monitor none -nic none -kernel "$image/vmlinuz" -initrd "$work/initrd.img" \
		-append "$(cat "$image/cmdline")" -drive "file=$work/disk,if=virtio,format=raw,cache=writeback" &
	local machine=$!
	if (($1 > 0)); then
		until grep -q 'encrypted in place now\|CC-TEST\|FAILED' "$work/console"; do
			kill -0 "$machine" 2>/dev/null || break
			sleep 0.02
		done
		sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
		pkill -KILL -P "$machine" 2>/dev/null || true
	fi
	wait "$machine" 2>/dev/null || true
	cat "$work/console" >>"$work/all"
}

expected=$(head -c "$data_bytes" "$work/plain" | sha256sum)
began=0 after=()
for ((n = 0; n < kills; n++)); do
	delay=$((RANDOM % ${CC_WINDOW_MS:-3000} + 1))
	run "$delay"
	after+=("$delay")
	if grep -q FAILED "$work/console"; then
		tr -d '\r' <"$work/console" >&2
		exit 1
	fi
	! grep -q 'encrypted in place now' "$work/console" || began=$((began + 1))
	# How many of the blocks are not as they were shipped.
	{ cmp -l -n "$data_bytes" "$work/plain" <(tail -c +1048577 "$work/disk" | head -c "$data_bytes") 2>/dev/null || true; } |
		awk '{ b[int(($1 - 1) / 4096)] } END { n = 0; for (i in b) n++; print n }' >>"$work/progress"
done
run 0
tr -d '\r' <"$work/console" | grep -q "CC-TEST encrypted ${expected%% *}" || { cat "$work/console" >&2 && exit 1; }
run 0
tr -d '\r' <"$work/console" | grep -q "CC-TEST encrypted ${expected%% *}" || { cat "$work/console" >&2 && exit 1; }
! grep -q 'encrypted in place now' "$work/console" || { echo "it was encrypted twice" >&2 && exit 1; }
# Nothing of the content is on the disk any more.
head -c 1048576 "$work/content/data" | tail -c 65536 >"$work/needle"
python3 - "$work/needle" "$work/disk" <<'PYTHON' || { echo "the content is on the disk in the clear" >&2 && exit 1; }
import sys
needle, disk = (open(name, "rb").read() for name in sys.argv[1:])
sys.exit(any(disk.find(needle[at:at + 4096]) >= 0 for at in range(0, len(needle), 4096)))
PYTHON
printf '{"kills":%s,"whileEncrypting":%s,"delaysMs":[%s],"blocksDone":[%s],"blocks":%s}\n' "$kills" "$began" \
	"$(IFS=, && echo "${after[*]}")" "$(paste -sd, "$work/progress")" $((data_bytes / 4096))
