# shellcheck shell=sh
# Encrypting a partition in place that was shipped in the clear, under its dm-verity. Sourced by partition.sh.
#
# There is no header, and no record of how far the work has come: nothing on the disk is believed. A chunk is plain
# where it matches the root hash as it lies there, and encrypted where it matches after decryption. The hash tree stays
# as it was shipped; it is what both views are held against. Chunks are encrypted in their order. Each is first copied
# to the journal, so that one that a loss of power has cut in two can be put back.

# Must be journalBytes in packages/cc-core/src/boot/in-place.ts: the room that a seal leaves for the journal.
in_place_chunk=4194304

# chunk_matches VIEW NUMBER: whether that chunk can be read through a device of dm-verity.
chunk_matches() { dd if="$R/dev/mapper/$1" of="$R/dev/null" bs=$in_place_chunk skip="$2" count=1 iflag=direct 2>"$R/run/cc/message"; }

# copy_chunk FROM NUMBER TO NUMBER: to the disk before it returns.
copy_chunk() {
	dd if="$1" of="$3" bs=$in_place_chunk skip="$2" seek="$4" count=1 conv=notrunc,fsync 2>"$R/run/cc/message" ||
		fail "$partition: cannot be encrypted: a chunk cannot be copied"
}

# open_in_place DISK MAPPER KEY: open the encrypted view; where it is not complete yet, complete it first.
open_in_place() {
	[ "$(wc -c <"$3")" -eq 64 ] || fail "$partition: its key has $(wc -c <"$3") bytes, 64 are needed"
	_disk_bytes=$(($(get verity-blocks) * 4096))
	# Batch mode: what is shipped has the signature of a file system, and nobody is there to be asked.
	cryptsetup open --batch-mode --type plain --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
		--size $((_disk_bytes / 512)) --key-file "$3" "$1" "$2" 2>"$R/run/cc/message" ||
		fail "$partition: cannot be opened"
	_encrypted=$partition-encrypted _plain=$partition-plain
	# Chunks that do not match are expected here, and the kernel would report each on the console.
	_level=$(cat "$R/proc/sys/kernel/printk")
	echo 1 >"$R/proc/sys/kernel/printk"
	verity_open "$_encrypted" "$R/dev/mapper/$2" "$1" || fail "$partition: its content does not match the root hash"
	_last=$(((_disk_bytes - 1) / in_place_chunk))
	chunk_matches "$_encrypted" "$_last" || encrypt_in_place "$1" "$R/dev/mapper/$2"
	# The journal holds a chunk in the clear.
	_journal=$(($(get journal-offset) / in_place_chunk))
	[ -z "$(dd if="$1" bs=$in_place_chunk skip="$_journal" count=1 2>"$R/run/cc/message" | tr -d '\0' | head -c 1)" ] ||
		copy_chunk "$R/dev/zero" 0 "$1" "$_journal"
	echo "$_level" >"$R/proc/sys/kernel/printk"
	veritysetup close "$_encrypted" || fail "$partition: cannot be closed"
}

# put_back DISK: the chunk that the journal holds, as it was shipped. What else the host has put there does not match.
put_back() {
	_bytes=$((_disk_bytes - _chunk * in_place_chunk))
	[ "$_bytes" -lt "$in_place_chunk" ] || _bytes=$in_place_chunk
	dd if="$1" of="$1" bs=$in_place_chunk skip=$((_journal * in_place_chunk)) seek="$_chunk" count="$_bytes" \
		iflag=skip_bytes,count_bytes conv=notrunc,fsync 2>"$R/run/cc/message" ||
		fail "$partition: cannot be encrypted: a chunk cannot be copied"
	chunk_matches "$_plain" "$_chunk" || fail "$partition: its content does not match the root hash"
}

# encrypt_in_place DISK ENCRYPTED: every chunk that is not encrypted yet.
encrypt_in_place() {
	say "$partition: it is encrypted in place now; this happens once"
	# veritysetup would refuse a disk that dm-crypt has open; the kernel does not.
	_blocks=$(get verity-blocks)
	dmsetup create "$_plain" --readonly --table "0 $((_blocks * 8)) verity 1 $1 $1 4096 4096 $_blocks $_blocks sha256 \
$(get verity-root-hash) $(get verity-salt)" 2>"$R/run/cc/message" || fail "$partition: its shipped content cannot be read"
	_journal=$(($(get journal-offset) / in_place_chunk))
	_chunk=0
	while [ "$_chunk" -le "$_last" ]; do
		if ! chunk_matches "$_encrypted" "$_chunk"; then
			# Neither plain nor encrypted: it was being written when the power went.
			chunk_matches "$_plain" "$_chunk" || put_back "$1"
			copy_chunk "$R/dev/mapper/$_plain" "$_chunk" "$1" "$_journal"
			copy_chunk "$R/dev/mapper/$_plain" "$_chunk" "$2" "$_chunk"
			chunk_matches "$_encrypted" "$_chunk" || fail "$partition: cannot be encrypted: a chunk was altered"
		fi
		_chunk=$((_chunk + 1))
	done
	dmsetup remove "$_plain" || fail "$partition: cannot be closed"
}
