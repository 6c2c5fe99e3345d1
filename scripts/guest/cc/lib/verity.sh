# shellcheck shell=sh disable=SC2034 # DEVICE is for the programs that source this file
# dm-verity. Sourced by partition.sh. Every parameter comes from boot.conf; the disk's own superblock is not read.

# verity_open NAME DATA HASHES [OPTION...]: a device that gives only blocks that belong to the partition's root hash.
# The hash tree begins in HASHES where the data end.
verity_open() {
	_name=$1 _data=$2 _hashes=$3
	shift 3
	_blocks=$(get verity-blocks)
	veritysetup open --no-superblock --format 1 --hash sha256 --data-block-size 4096 --hash-block-size 4096 \
		--data-blocks "$_blocks" --hash-offset $((_blocks * 4096)) --salt "$(get verity-salt)" "$@" \
		"$_data" "$_name" "$_hashes" "$(get verity-root-hash)" 2>"$R/run/cc/message"
}

# verify: put dm-verity over DEVICE, with the hash tree in HASHES. A block that does not match stops the kernel at once.
verify() {
	verity_open "$partition" "$DEVICE" "$HASHES" --panic-on-corruption ||
		fail "$partition: its content does not match the root hash"
	DEVICE="$R/dev/mapper/$partition"
	if [ "$(get verify)" = boot ]; then
		dd if="$DEVICE" of="$R/dev/null" bs=1048576 2>"$R/run/cc/message" || fail "$partition: its content was altered"
	fi
}
