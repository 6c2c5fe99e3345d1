#!/usr/bin/env bats
# shellcheck disable=SC2016 # programs for other shells
# The duties of a hardened image, under the shell of the guest, with a folder that stands in for its file system.

load ../test/guest.bash

setup() {
	bats_require_minimum_version 1.5.0
	R=$BATS_TEST_TMPDIR/root
	export R
	mkdir -p "$R"/{dev,proc/sys/kernel/random,proc/sys/a,run/cc/state,etc/cc/hardening,opt/flare,usr/lib/cc,sys/class/block,ro/keys,ro/kit,tmp}
	mkdir -p "$R"/sys/kernel/security "$BATS_TEST_TMPDIR/bin"
	cp -R "$BATS_TEST_DIRNAME/opt-flare" "$R/opt/flare/scripts"
	cp -R "$BATS_TEST_DIRNAME"/cc/. "$R/usr/lib/cc/"
	guest_programs "$R"
	: >"$R/dev/console"
	cp /proc/sys/kernel/random/uuid "$R/proc/sys/kernel/random/"
	printf 'version=1\nprofile=development\ncc-ro.mount=/ro\ncc-app.mount=/vault\npartitions=cc-root cc-app cc-ro\ncc-root.mount=/\n' >"$R/run/cc/boot.conf"
	site_conf role=client
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# site_conf LINE...: a site.conf with these lines.
site_conf() { printf '%s\n' version=1 site=a "$@" >"$R/ro/site.conf"; }

# duty NAME ARGUMENT...
duty() { run timeout 60 dash "$R/opt/flare/scripts/$1" "${@:2}"; }

# stub NAME: a program that writes its arguments and its input down.
stub() {
	printf '#!/bin/sh\nprintf "%%s\\n" "%s $*" >>"%s/calls"\n%s\n' "$1" "$BATS_TEST_TMPDIR" "${2-}" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}
calls() { cat "$BATS_TEST_TMPDIR/calls" 2>/dev/null || :; }

# powered_off REASON: the duty ended with one line that says why, and with power off.
powered_off() {
	((status != 0)) || { echo "it went on" && return 1; }
	[[ $(<"$R/dev/console") == *"cc: FAILED: "*"$1"*"; powering off"* ]] || { cat "$R/dev/console" && return 1; }
}

@test "site.conf: unknown, repeated and malformed lines, another version and another role are refused" {
	local line
	for line in 'x=1' 'role=client' 'nonsense' 'hosts=$(reboot)' 'inbound=tcp/1;drop' 'logs=`x`'; do
		site_conf role=client "$line"
		run dash -c '. "$R/opt/flare/scripts/lib/site.sh"; site_check'
		((status == 1)) || { echo "accepted: $line" && return 1; }
	done
	site_conf role=admin
	run dash -c '. "$R/opt/flare/scripts/lib/site.sh"; site_check'
	[[ $status == 1 && $output == *"role 'admin'"* ]]
	site_conf role=server 'inbound=tcp/8002@10.0.0.0/8 udp/5@fd00::/8' 'hosts=a.b=10.0.0.1' workspace=/vault/w
	run dash -c '. "$R/opt/flare/scripts/lib/site.sh"; site_check'
	((status == 0)) || { echo "$output" && return 1; }
}

@test "system_hardening calls every duty once, and stops at the first that fails" {
	local name
	for name in kernel sysctl accounts memory devices network firewall; do
		printf '#!/bin/sh\necho %s >>"%s/order"\n' "$name" "$BATS_TEST_TMPDIR" >"$R/opt/flare/scripts/$name.sh"
	done
	duty system_hardening.sh
	((status == 0))
	[[ $(paste -sd ' ' "$BATS_TEST_TMPDIR/order") == 'kernel sysctl accounts memory devices network firewall' ]]
	rm "$BATS_TEST_TMPDIR/order"
	printf '#!/bin/sh\nexit 1\n' >"$R/opt/flare/scripts/accounts.sh"
	duty system_hardening.sh
	powered_off 'hardening: accounts.sh failed'
	[[ $(paste -sd ' ' "$BATS_TEST_TMPDIR/order") == 'kernel sysctl' ]]
}

@test "kernel: lockdown has to be what the command line says" {
	echo 'quiet lockdown=integrity' >"$R/proc/cmdline"
	echo 'none [integrity] confidentiality' >"$R/sys/kernel/security/lockdown"
	duty kernel.sh
	((status == 0))
	# What came to its end is written down; what failed is not.
	[[ $(<"$R/run/cc/hardening/duty-kernel") == 'done' ]]
	rm "$R/run/cc/hardening/duty-kernel"
	echo '[none] integrity confidentiality' >"$R/sys/kernel/security/lockdown"
	duty kernel.sh
	powered_off "lockdown is '[none] integrity confidentiality', not 'integrity'"
	[[ ! -e $R/run/cc/hardening/duty-kernel ]]
}

@test "kernel: a command line that asks for another init is refused" {
	echo 'quiet init=/bin/sh' >"$R/proc/cmdline"
	duty kernel.sh
	powered_off "'init=/bin/sh' is on the command line"
}

@test "sysctl: every key is set and read back; one that does not take is a failure" {
	mkdir -p "$R/proc/sys/kernel"
	echo 5 >"$R/proc/sys/kernel/sysrq"
	printf '# text\nkernel.sysrq = 0\n-kernel.no_such = 1\n' >"$R/etc/cc/hardening/sysctl.conf"
	duty sysctl.sh
	((status == 0))
	[[ $(<"$R/proc/sys/kernel/sysrq") == 0 && $(<"$R/run/cc/hardening/sysctl") == 1 ]]
	printf 'kernel.no_such = 1\n' >"$R/etc/cc/hardening/sysctl.conf"
	duty sysctl.sh
	powered_off "this kernel has no 'kernel.no_such'"
	: >"$R/dev/console"
	ln -s /dev/null "$R/proc/sys/kernel/stuck"
	printf 'kernel.stuck = 1\n' >"$R/etc/cc/hardening/sysctl.conf"
	duty sysctl.sh
	powered_off "'kernel.stuck' is '', not '1'"
}

@test "accounts: a shell, a password, a second root and a login program are each a failure" {
	accounts() {
		printf '%s\n' 'root:x:0:0:root:/root:/usr/sbin/nologin' "$1" >"$R/etc/passwd"
		printf '%s\n' 'root:!*:1::::::' "$2" >"$R/etc/shadow"
		: >"$R/dev/console"
		duty accounts.sh
	}
	accounts 'cc:x:1000:1000::/home/cc:/usr/sbin/nologin' 'cc:!*:1::::::'
	((status == 0))
	accounts 'cc:x:1000:1000::/home/cc:/bin/bash' 'cc:!*:1::::::'
	powered_off "'cc' has the shell '/bin/bash'"
	accounts 'cc:x:0:1000::/home/cc:/usr/sbin/nologin' 'cc:!*:1::::::'
	powered_off "'cc' is a second root"
	accounts 'cc:x:1000:1000::/home/cc:/usr/sbin/nologin' 'cc::1::::::'
	powered_off "'cc' has a password"
	mkdir -p "$R/usr/sbin"
	: >"$R/usr/sbin/agetty"
	accounts 'cc:x:1000:1000::/home/cc:/usr/sbin/nologin' 'cc:!*:1::::::'
	powered_off 'there is a program /usr/sbin/agetty'
}

@test "memory: swap, temporary files on a disk and core files are each a failure" {
	memory() {
		: >"$R/dev/console"
		duty memory.sh
	}
	printf 'Filename Type\n' >"$R/proc/swaps"
	printf 'tmpfs %s tmpfs rw 0 0\n' /tmp /var/tmp /dev/shm >"$R/proc/mounts"
	echo '|/bin/false' >"$R/proc/sys/kernel/core_pattern"
	memory
	((status == 0))
	echo core >"$R/proc/sys/kernel/core_pattern"
	memory
	powered_off "core files go to 'core'"
	printf 'Filename Type\n/dev/vdb partition\n' >"$R/proc/swaps"
	memory
	powered_off 'swap is on'
	printf 'Filename Type\n' >"$R/proc/swaps"
	printf 'tmpfs /tmp tmpfs rw 0 0\n/dev/vdb /var/tmp ext4 rw 0 0\n' >"$R/proc/mounts"
	memory
	powered_off "/var/tmp is not in memory but 'ext4'"
}

@test "devices: what is mounted and is no partition of boot.conf is a failure" {
	printf '/dev/mapper/cc-root /run/cc/lower ext4 ro 0 0\noverlay / overlay rw 0 0\n/dev/mapper/cc-ro /ro ext4 ro 0 0\n' >"$R/proc/mounts"
	duty devices.sh
	((status == 0))
	echo '/dev/vdb1 /media/x vfat rw 0 0' >>"$R/proc/mounts"
	duty devices.sh
	powered_off '/dev/vdb1 is mounted at /media/x'
}

@test "firewall: everything is dropped but what site.conf lists" {
	site_conf role=server 'inbound=tcp/8002 tcp/8003@10.0.0.0/8 udp/9@fd00::/8' outbound=tcp/443 resolvers=10.0.0.2
	stub nft 'case $1 in -f) cat >>"'"$BATS_TEST_TMPDIR"'/rules" ;; list) printf "policy drop;\npolicy drop;\npolicy drop;\n" ;; esac'
	duty firewall.sh
	((status == 0)) || { echo "$output" && cat "$R/dev/console" && return 1; }
	rules=$(<"$BATS_TEST_TMPDIR/rules")
	[[ $(grep -c 'policy drop;' <<<"$rules") == 3 ]]
	for rule in 'tcp dport 8002 ct state new accept' 'ip saddr 10.0.0.0/8 tcp dport 8003 ct state new accept' \
		'ip6 saddr fd00::/8 udp dport 9 ct state new accept' $'\t\ttcp dport 443 ct state new accept' 'resolvers4 { 10.0.0.2 }'; do
		[[ $rules == *"$rule"* ]] || { echo "missing: $rule" && return 1; }
	done
	[[ $(grep -c 'ct state new accept' <<<"$rules") == 4 ]]
}

@test "firewall: link-local addresses are open to rules that name them, and to no other" {
	site_conf role=server inbound=tcp/8002 \
		'outbound=tcp/80 tcp/81@169.254.169.254/32 tcp/82@169.0.0.0/8 udp/83@fe80::/10 tcp/84@FEBF::1/128 tcp/85@fe00::/8 tcp/86@fec0::/10'
	stub nft 'case $1 in -f) cat >>"'"$BATS_TEST_TMPDIR"'/rules" ;; list) printf "policy drop;\npolicy drop;\npolicy drop;\n" ;; esac'
	duty firewall.sh
	((status == 0)) || { echo "$output" && cat "$R/dev/console" && return 1; }
	# The first rule that matches decides.
	diff -u <(sed -n '/@resolvers6/,/^\t}/{s/^\t*//;/169.254\|fe80\|ct state new\|drop/p}' "$BATS_TEST_TMPDIR/rules") - <<-END
		ip daddr 169.254.169.254/32 tcp dport 81 ct state new accept
		ip6 daddr fe80::/10 udp dport 83 ct state new accept
		ip6 daddr FEBF::1/128 tcp dport 84 ct state new accept
		ip daddr 169.254.0.0/16 drop
		ip6 daddr fe80::/10 drop
		tcp dport 80 ct state new accept
		ip daddr 169.0.0.0/8 tcp dport 82 ct state new accept
		ip6 daddr fe00::/8 tcp dport 85 ct state new accept
		ip6 daddr fec0::/10 tcp dport 86 ct state new accept
	END
}

@test "firewall: rules that nft refuses, and chains that do not drop, power off" {
	stub nft 'cat >/dev/null; case $1 in -f) echo "syntax error" >&2; exit 1 ;; esac'
	duty firewall.sh
	powered_off 'nft refuses the rules: syntax error'
	: >"$R/dev/console"
	stub nft 'case $1 in list) echo "policy accept;" ;; *) cat >/dev/null ;; esac'
	duty firewall.sh
	powered_off '0 of 3 chains drop'
}

@test "resolvers: those of DHCP, unless some are configured; none on this machine" {
	mkdir -p "$R/run/systemd/resolve"
	printf 'nameserver 10.0.2.3\nnameserver 127.0.0.53\nnameserver fe80::1%%eth0\nnameserver $(x)\nsearch a\n' >"$R/run/systemd/resolve/resolv.conf"
	stub nft 'cat >"'"$BATS_TEST_TMPDIR"'/rules"'
	duty resolvers.sh
	((status == 0))
	[[ $(grep -c 'add element' "$BATS_TEST_TMPDIR/rules") == 2 ]]
	grep -q 'resolvers4 { 10.0.2.3 }' "$BATS_TEST_TMPDIR/rules"
	grep -q 'resolvers6 { fe80::1 }' "$BATS_TEST_TMPDIR/rules"
	site_conf role=client resolvers=192.0.2.1
	duty resolvers.sh
	[[ $(grep 'add element' "$BATS_TEST_TMPDIR/rules") == *'{ 192.0.2.1 }'* ]]
}

# disk NAME SERIAL: a disk of the host.
disk() {
	mkdir -p "$R/sys/class/block/$1"
	printf '%s' "$2" >"$R/sys/class/block/$1/serial"
	truncate -s 2M "$R/dev/$1"
}

# stub_mount [OPTION]: mounts nothing, and the kernel says that it did, without OPTION.
stub_mount() {
	: >"$R/proc/mounts"
	stub mount 'echo "$5 $6 $3 $(printf %s "$4" | sed "s/,noload//;s/,'"${1:-none}"'//") 0 0" >>"$R/proc/mounts"'
}

@test "data: a client mounts its input read-only, and ignores an output" {
	site_conf role=client input=/mnt/in input-key=no
	disk vdb nvflare-input
	disk vdc nvflare-output
	echo data >"$R/dev/vdb"
	stub_mount
	duty data_mounts.sh
	((status == 0)) || { cat "$R/dev/console" && return 1; }
	[[ $(calls) == *"mount -t ext4 -o ro,noload,nosuid,nodev,noexec,nosymfollow $R/dev/vdb $R/mnt/in"* ]]
	[[ $(calls) != *vdc* ]]
	[[ $(<"$R/dev/console") == *'the disk nvflare-output is ignored: it is not for a client'* ]]
	[[ $(<"$R/run/cc/hardening/input") == disk-plain && $(<"$R/run/cc/hardening/output") == ignored ]]
}

@test "data: no disk is no failure, two of one serial are" {
	site_conf role=client input=/mnt/in input-key=no
	stub_mount
	duty data_mounts.sh
	((status == 0))
	[[ $(<"$R/run/cc/hardening/input") == absent ]]
	disk vdb nvflare-input
	disk vdc nvflare-input
	duty data_mounts.sh
	powered_off 'two disks have this serial'
	[[ -z $(calls) ]]
}

@test "data: with a key the input has to be the one LUKS2 that is allowed" {
	site_conf role=client input=/mnt/in input-key=yes
	disk vdb nvflare-input
	echo 'plain file system of the host' >"$R/dev/vdb"
	head -c 32 /dev/urandom >"$R/ro/keys/input.key"
	stub_mount
	duty data_mounts.sh
	powered_off 'its LUKS header cannot be read'
	[[ -z $(calls) ]]
	: >"$R/dev/console"
	rm "$R/ro/keys/input.key"
	duty data_mounts.sh
	powered_off 'there is no key file'
}

@test "data: an empty output is formatted, encrypted where a key is there" {
	site_conf role=server output=/mnt/out output-key=no
	disk vdb nvflare-output
	stub_mount
	stub mkfs.ext4
	stub mountpoint 'exit 1'
	duty data_mounts.sh
	((status == 0)) || { cat "$R/dev/console" && return 1; }
	[[ $(calls) == *"mkfs.ext4 -q -F -m 0 -E nodiscard $R/dev/vdb"*"mount -t ext4 -o rw,nosuid,nodev,noexec,nosymfollow $R/dev/vdb $R/mnt/out"* ]]
	[[ $(stat -c %a:%g "$R/mnt/out") == "770:$(stat -c %g "$R/ro/kit")" ]]
	rm "$BATS_TEST_TMPDIR/calls"
	site_conf role=server output=/mnt/out output-key=yes
	head -c 32 /dev/urandom >"$R/ro/keys/output.key"
	truncate -s 20M "$R/dev/vdb"
	# The real cryptsetup makes the header; opening it needs device-mapper.
	real=$(command -v cryptsetup)
	stub cryptsetup 'case $1 in open) exit 0 ;; *) exec '"$real"' "$@" ;; esac'
	duty data_mounts.sh
	((status == 0)) || { cat "$R/dev/console" "$R/run/cc/message" && return 1; }
	[[ $(head -c 4 "$R/dev/vdb") == LUKS ]]
	[[ $(calls) == *"cryptsetup open --type luks2 --header"*"mkfs.ext4 -q -F -m 0 -E nodiscard $R/dev/mapper/nvflare-output"* ]]
}

@test "data: an output on cc-out is for FLARE to write, unless it is locked" {
	local state mode
	site_conf role=server output=/mnt/out output-key=no
	echo cc-out.mount=/mnt/out >>"$R/run/cc/boot.conf"
	mkdir -p "$R/run/cc/state"
	for state in encrypted:770 plain:770 locked:755; do
		mode=${state#*:}
		install -d -m 755 "$R/mnt/out"
		echo "${state%:*}" >"$R/run/cc/state/cc-out"
		duty data_mounts.sh
		((status == 0)) || { cat "$R/dev/console" && return 1; }
		[[ $(stat -c %a "$R/mnt/out") == "$mode" && $(<"$R/run/cc/hardening/output") == "partition-${state%:*}" ]]
	done
}

@test "data: a disk on which the kernel follows links, or that it lets write, is not used" {
	local option
	site_conf role=client input=/mnt/in input-key=no
	disk vdb nvflare-input
	echo data >"$R/dev/vdb"
	for option in nosymfollow nosuid nodev noexec; do
		stub_mount "$option"
		: >"$R/dev/console"
		duty data_mounts.sh
		powered_off 'nvflare-input: it is not mounted with ro,noload,nosuid,nodev,noexec,nosymfollow'
	done
	# Nothing is mounted at all.
	stub mount ''
	: >"$R/proc/mounts"
	: >"$R/dev/console"
	duty data_mounts.sh
	powered_off 'nvflare-input: it is not mounted with'
}

@test "data: the log disk is named, and neither looked into nor mounted" {
	site_conf role=client logs=disk
	disk vdb nvflare-log
	echo 'whatever the host wrote' >"$R/dev/vdb"
	cp "$R/dev/vdb" "$BATS_TEST_TMPDIR/before"
	stub_mount
	stub mkfs.ext4
	duty data_mounts.sh
	((status == 0)) || { cat "$R/dev/console" && return 1; }
	[[ $(readlink "$R/dev/nvflare-log") == "$R/dev/vdb" && $(<"$R/run/cc/hardening/log") == disk-raw ]]
	[[ -z $(calls) ]]
	cmp "$R/dev/vdb" "$BATS_TEST_TMPDIR/before"
	# Without one there is no log, and no failure.
	rm -r "$R/sys/class/block/vdb" "$R/dev/nvflare-log"
	duty data_mounts.sh
	((status == 0)) && [[ ! -e $R/dev/nvflare-log && $(<"$R/run/cc/hardening/log") == absent ]]
}

# ring SIZE: run log_ring.py on a disk of SIZE bytes.
ring() { truncate -s "$1" "$BATS_TEST_TMPDIR/disk" && python3 -I "$BATS_TEST_DIRNAME/opt-flare/log_ring.py" 1<>"$BATS_TEST_TMPDIR/disk"; }

@test "log: a disk holds the newest lines, and zeros follow the newest" {
	seq 1 100 | ring 256K
	[[ $(tr -d '\0' <"$BATS_TEST_TMPDIR/disk" | paste -sd ' ') == $(seq -s ' ' 1 100) ]]
	# Another boot begins at the start. What it does not reach of the last one stays, behind zeros.
	echo second | ring 256K
	[[ $(head -c 7 "$BATS_TEST_TMPDIR/disk") == second && $(head -c 4103 "$BATS_TEST_TMPDIR/disk" | tail -c 4096 | tr -d '\0' | wc -c) == 0 ]]
	# More than the disk holds: the end of the text is there, and begins where the zeros end.
	seq 1 200000 | ring 256K
	(($(stat -c %s "$BATS_TEST_TMPDIR/disk") == 262144))
	run python3 -c 'import sys
disk = open(sys.argv[1], "rb").read()
gap = disk.index(bytes(4096))
text = (disk[gap + 4096:] + disk[:gap]).split(b"\n")
newest = [int(line) for line in text[1:-1]]
assert newest == list(range(newest[0], 200001)), newest[-3:]
assert len(disk) - sum(len(line) + 1 for line in text[:-1]) == 4096' "$BATS_TEST_TMPDIR/disk"
	((status == 0)) || { echo "$output" && return 1; }
}

@test "log: a zero of the text is none on the disk, and a disk that is too small is refused" {
	printf 'a\0b\n' | ring 64K
	[[ $(head -c 4 "$BATS_TEST_TMPDIR/disk") == 'a b' ]]
	rm "$BATS_TEST_TMPDIR/disk"
	run bash -c 'truncate -s 4K "$1" && echo x | python3 -I "$2" 1<>"$1"' - "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_DIRNAME/opt-flare/log_ring.py"
	[[ $status == 1 && $output == *'has 4096 bytes'* ]]
}

@test "workspace: only on the encrypted partition, and no link leads the kit elsewhere" {
	site_conf role=client workspace=/vault/workspace
	stub mountpoint
	stub mount
	mkdir -p "$R/vault/workspace" "$BATS_TEST_TMPDIR/elsewhere"
	chmod 701 "$BATS_TEST_TMPDIR/elsewhere"
	# A job of an earlier boot may have left any of them.
	for folder in startup local transfer tmp; do ln -s "$BATS_TEST_TMPDIR/elsewhere" "$R/vault/workspace/$folder"; done
	duty workspace.sh "$(id -un)" "$(id -gn)"
	if ((EUID == 0)); then
		((status == 0)) || { cat "$R/dev/console" && return 1; }
		for folder in startup local transfer tmp; do [[ -d $R/vault/workspace/$folder && ! -L $R/vault/workspace/$folder ]]; done
		[[ -d $R/vault/bound/applog && $(stat -c %a "$R/vault/bound" "$R/run/nvflare" | paste -sd ' ') == '700 700' && $(stat -c %a "$BATS_TEST_TMPDIR/elsewhere") == 701 ]]
		rmdir "$R/vault/workspace/local"
		echo x >"$R/vault/workspace/local"
		duty workspace.sh "$(id -un)" "$(id -gn)"
		[[ $status == 0 && -d $R/vault/workspace/local ]]
	fi
	: >"$R/dev/console"
	site_conf role=client workspace=/var/workspace
	duty workspace.sh "$(id -un)" "$(id -gn)"
	powered_off '/var/workspace is not on cc-app'
	: >"$R/dev/console"
	stub mountpoint 'exit 1'
	duty workspace.sh "$(id -un)" "$(id -gn)"
	powered_off '/vault is not a partition'
}

@test "workspace: results survive on the encrypted output, else beside the workspace; temporary files do not" {
	((EUID == 0)) || skip "root gives folders to others"
	local state place
	stub mountpoint
	stub mount
	mkdir -p "$R/vault/workspace/tmp" "$R/vault/bound/results" "$BATS_TEST_TMPDIR/kept"
	touch "$R/vault/workspace/tmp/old" "$R/vault/bound/results/job" "$BATS_TEST_TMPDIR/kept/file"
	ln -s "$BATS_TEST_TMPDIR/kept" "$R/vault/workspace/tmp/link"
	site_conf role=server workspace=/vault/workspace output=/out
	for state in none absent ignored disk-plain partition-plain partition-locked disk-encrypted partition-encrypted ''; do
		place=/vault/bound/results
		[[ $state != *-encrypted ]] || place=/out
		mkdir -p "$R/run/cc/hardening"
		echo "$state" >"$R/run/cc/hardening/output"
		: >"$BATS_TEST_TMPDIR/calls"
		duty workspace.sh "$(id -un)" "$(id -gn)"
		((status == 0)) || { cat "$R/dev/console" && return 1; }
		[[ $(calls | grep '^mount ') == "mount --bind $R$place $R/run/nvflare/results" ]] || { echo "$state" && calls && return 1; }
	done
	[[ -d $R/vault/workspace/tmp && -z $(ls -A "$R/vault/workspace/tmp") ]]
	[[ -e $R/vault/bound/results/job && -e $BATS_TEST_TMPDIR/kept/file ]]
	stub mount 'exit 32'
	duty workspace.sh "$(id -un)" "$(id -gn)"
	powered_off '/vault/bound/results cannot be the place of results'
	: >"$R/dev/console"
	stub rm 'exit 1'
	duty workspace.sh "$(id -un)" "$(id -gn)"
	# bats cleans up with rm too: left here, the file fails although every test is ok.
	/bin/rm "$BATS_TEST_TMPDIR/bin/rm"
	powered_off 'temporary files of the last boot cannot be removed'
}

# rounds RESULT...: what each round of recheck finds, by the key source and cc-attest; after the last one it is left alone.
rounds() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/rounds"
	: >"$BATS_TEST_TMPDIR/calls"
	: >"$R/dev/console"
	mkdir -p "$R/opt/cc/bin" "$R/usr/lib/cc/key-source" "$R/run/cc/gpu"
	# The round that comes next, and its exit status: passed, refused or unreachable.
	cat >"$BATS_TEST_TMPDIR/bin/next-round" <<-'END'
		#!/bin/sh
		read -r result <"$ROUNDS"
		sed -i 1d "$ROUNDS"
		case $result in
		passed) printf 'the key itself' && exit 0 ;;
		unreachable) echo 'Connection refused' >&2 && exit 4 ;;
		*) echo 'denied by its policy' >&2 && exit 1 ;;
		esac
	END
	export ROUNDS=$BATS_TEST_TMPDIR/rounds
	printf '#!/bin/sh\nprintf "%%s\\n" "kbs $*" >>"%s/calls"\nexec next-round\n' "$BATS_TEST_TMPDIR" >"$R/usr/lib/cc/key-source/kbs"
	printf '#!/bin/sh\nprintf "%%s\\n" "cc-attest $*" >>"%s/calls"\nnext-round >/dev/null 2>&1 && exit 0\nprintf "{\\"cpu\\":{\\"status\\":\\"failed\\",\\"detail\\":\\"it is another one\\"}}\\n"\nexit 1\n' "$BATS_TEST_TMPDIR" >"$R/opt/cc/bin/cc-attest"
	chmod +x "$BATS_TEST_TMPDIR/bin/next-round" "$R/usr/lib/cc/key-source/kbs" "$R/opt/cc/bin/cc-attest"
	# Where there are no rounds left, time stands still.
	stub sleep '[ -s "$ROUNDS" ]'
	for name in systemctl nvidia-smi umount cryptsetup; do stub "$name"; done
	grep -q '^cc-root.key=' "$R/run/cc/boot.conf" || printf 'cc-root.key=kbs\n' >>"$R/run/cc/boot.conf"
}

@test "recheck: refusals in a row stop FLARE, close the vault and power off; one that passes begins anew" {
	local settings=(recheck=900 recheck-ask=kbs recheck-failures=2 recheck-network-failures=3)
	site_conf role=client "${settings[@]}"
	rounds passed refused passed refused refused passed
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 2; denied by its policy'
	[[ $(<"$ROUNDS") == passed && $(calls | grep -c '^sleep 900$') == 5 && $(calls | grep '^kbs') == *'kbs cc-root' ]]
	# FLARE first, then what it worked on; whatever of it fails, the machine goes off.
	[[ $(calls | grep -v '^sleep\|^kbs' | cut -d ' ' -f 1-2 | paste -sd ,) == 'systemctl stop,nvidia-smi conf-compute,umount '*',umount '*/vault',cryptsetup close' ]] || { calls && return 1; }
	run ! grep -q 'the key itself' -r "$R/dev" "$R/run"
	for name in systemctl nvidia-smi umount cryptsetup; do stub "$name" 'exit 1'; done
	: >"$R/dev/console"
	printf '%s\n' refused refused >"$ROUNDS"
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 2'
}

@test "recheck: a broker that is not reached has a number of its own, or none" {
	site_conf role=client recheck=1 recheck-ask=kbs recheck-failures=2 recheck-network-failures=3
	rounds unreachable unreachable refused unreachable
	duty recheck.sh
	powered_off 'attestation: rounds without an answer: 3; Connection refused'
	site_conf role=client recheck=1 recheck-ask=kbs recheck-failures=2 recheck-network-failures=0
	# shellcheck disable=SC2046 # words
	rounds $(printf 'unreachable %.0s' {1..20}) refused refused
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 2; denied'
	[[ ! -s $ROUNDS ]]
}

@test "recheck: evidence of processor and GPUs is asked for at once, and of GPUs only where there are some" {
	site_conf role=client recheck=1 'recheck-ask=cpu gpu' recheck-failures=1 recheck-network-failures=0
	rounds passed refused
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 1; the evidence was rejected: it is another one'
	[[ $(calls | grep '^cc-attest' | sort -u) == 'cc-attest --verify --cpu --gpu' ]] || { calls && return 1; }
	rounds passed refused
	: >"$R/run/cc/gpu/absent"
	duty recheck.sh
	[[ $(calls | grep '^cc-attest' | sort -u) == 'cc-attest --verify --cpu' ]]
	site_conf role=client recheck=1 'recheck-ask=gpu' recheck-failures=1 recheck-network-failures=0
	rounds passed
	# Nothing is asked, so nothing uses the rounds up.
	stub sleep 'rm "$ROUNDS" 2>/dev/null'
	duty recheck.sh
	[[ $(calls) == $'sleep 1\nsleep 1' ]] || { calls && return 1; }
	# Both: the broker, and what it does not see.
	site_conf role=client recheck=1 'recheck-ask=kbs gpu' recheck-failures=1 recheck-network-failures=0
	rm "$R/run/cc/gpu/absent"
	rounds passed refused
	duty recheck.sh
	powered_off 'it is another one'
	rm "$R/opt/cc/bin/cc-attest"
	rounds passed
	rm "$R/opt/cc/bin/cc-attest"
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 1; the evidence was rejected'
}

@test "recheck: what is silent for ever is a refusal, and a silent broker hides no bad GPU" {
	site_conf role=client recheck=1 recheck-ask=gpu recheck-failures=1 recheck-network-failures=0
	rounds passed
	stub timeout '[ "$4" != "$R/opt/cc/bin/cc-attest" ] || exit 124; exec /usr/bin/timeout "$@"'
	duty recheck.sh
	/bin/rm "$BATS_TEST_TMPDIR/bin/timeout"
	powered_off 'attestation: refusals in a row: 1; there was no evidence within 180 seconds'
	site_conf role=client recheck=1 'recheck-ask=kbs gpu' recheck-failures=1 recheck-network-failures=0
	rounds unreachable refused
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 1; the evidence was rejected'
}

@test "recheck: settings that cannot be read are no permission to go on" {
	rounds passed
	site_conf role=client recheck=1 recheck-failures=1 recheck-network-failures=0
	duty recheck.sh
	powered_off 'site.conf does not say who is asked'
	: >"$R/dev/console"
	rm "$R/ro/site.conf"
	duty recheck.sh
	powered_off "attestation: '' is not a number of seconds"
	# What was read at the start is what counts: later the disk gives nothing any more.
	site_conf role=client recheck=1 recheck-ask=kbs recheck-failures=2 recheck-network-failures=0
	rounds passed refused refused
	stub sleep 'rm -f "$R/ro/site.conf"; [ -s "$ROUNDS" ]'
	duty recheck.sh
	powered_off 'attestation: refusals in a row: 2; denied by its policy'
}

@test "recheck: each round leaves a line for the records, with a number of its own, and without what may not be shown" {
	site_conf role=client recheck=1 recheck-ask=kbs recheck-failures=9 recheck-network-failures=0
	rounds passed
	stub sleep 'rm "$ROUNDS.go" 2>/dev/null'
	: >"$ROUNDS.go"
	# Of a file the next line would take the place of the last one.
	rm "$R/dev/console"
	mkfifo "$R/dev/console"
	cat "$R/dev/console" >"$BATS_TEST_TMPDIR/console" &
	exec 8>"$R/dev/console"
	duty recheck.sh
	exec 8>&-
	wait $!
	grep -Eqx 'CC-AUDIT \{"version":1,"event":"attestation","id":"[0-9a-f]{8}","result":"passed","refused":0,"unreachable":0,"reason":""\}' "$BATS_TEST_TMPDIR/console" ||
		{ cat "$BATS_TEST_TMPDIR/console" && return 1; }
	run ! grep -q 'the key itself' "$BATS_TEST_TMPDIR/console"
}

@test "recheck: never is never, and whatever else cannot be understood powers off" {
	local settings
	site_conf role=client recheck=0
	rounds refused
	duty recheck.sh
	[[ $status == 0 && -z $(calls) ]]
	for settings in 'recheck=x recheck-failures=1' 'recheck=1' 'recheck=1 recheck-failures=x recheck-network-failures=1' \
		'recheck=1 recheck-failures=1 recheck-network-failures=1 recheck-ask=me'; do
		# shellcheck disable=SC2086 # words
		site_conf role=client $settings
		rounds passed
		duty recheck.sh
		powered_off 'attestation: '
	done
	# Time that does not pass would be a machine that is never asked.
	site_conf role=client recheck=1 recheck-failures=1 recheck-network-failures=1 recheck-ask=kbs
	rounds
	: >"$ROUNDS"
	duty recheck.sh
	powered_off 'attestation: it stopped'
}

@test "modules: that they cannot be locked is a failure" {
	echo 0 >"$R/proc/sys/kernel/modules_disabled"
	duty lock_modules.sh
	((status == 0))
	[[ $(<"$R/proc/sys/kernel/modules_disabled") == 1 ]]
	rm "$R/proc/sys/kernel/modules_disabled"
	mkdir "$R/proc/sys/kernel/modules_disabled"
	duty lock_modules.sh
	powered_off 'loading them cannot be forbidden'
}

@test "report: one line of JSON in a development image, the state alone in production" {
	site_conf role=client 'inbound=tcp/1@10.0.0.0/8 tcp/2' outbound=
	echo 1 >"$R/proc/sys/kernel/modules_disabled"
	echo '12.5 3' >"$R/proc/uptime"
	mkdir -p "$R/run/cc/hardening"
	echo 7 >"$R/run/cc/hardening/sysctl"
	: >"$R/dev/console"
	duty report.sh
	((status == 0))
	line=$(grep CC-HARDENED "$R/dev/console")
	run python3 -c 'import json,sys; d=json.loads(sys.argv[1].split(" ",1)[1]); print(d["role"], d["inbound"], d["outbound"], d["modulesLocked"])' "$line"
	[[ $output == "client ['tcp/1@10.0.0.0/8', 'tcp/2'] [] True" ]] || { echo "$output" && return 1; }
	sed -i s/development/production/ "$R/run/cc/boot.conf"
	: >"$R/dev/console"
	duty report.sh
	[[ $(<"$R/dev/console") == 'cc: hardened' ]]
	duty ready.sh
	[[ $(<"$R/dev/console") == 'cc: ready' ]]
}
