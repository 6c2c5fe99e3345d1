#!/usr/bin/env bash
# Weaken the tree of a hardened image, one weakness or many, so that it can be seen whether the prover names each of them.
#
# For copies in the tests of this repository; part of no package, and of no image that is delivered.
#
# Parameters:
#   --tree DIR             the tree to change
#   --site NAME            the folder of the tree that becomes cc-ro, an absolute path in the guest
#   --root-key FILE        the key of cc-root
#   --weakness NAME...     the function of this script that makes it
# Runs in: namespace
# Network: no
# Output: the tree

# shellcheck source=../../scripts/lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/step.sh"
step "$@"

units=$tree/usr/lib/systemd/system
masks=$tree/etc/systemd/system
duties=$tree/opt/flare/scripts
flare=$units/nvflare.service

# change FILE EXPRESSION: sed that has to change something.
change() {
	local before
	before=$(sha256sum <"$1")
	sed -i -E "$2" "$1"
	[[ $(sha256sum <"$1") != "$before" ]] || die E_BUG "nothing of $1 is changed by $2"
}

# program NAME: executable, in the tree; its text is standard input.
program() {
	mkdir -p "$(dirname -- "$tree$1")"
	cat >"$tree$1"
	chmod 755 "$tree$1"
}

# service NAME TYPE: a unit that runs before the probe, once the machine says that it is closed; its text is standard input.
service() {
	program "/opt/weak/$1"
	cat >"$units/weak-$1.service" <<EOF
[Unit]
After=cc-hardening-report.service cc-boot-check.service cc-lock-modules.service
Before=cc-attack-probe.service
[Service]
Type=$2
ExecStart=/opt/weak/$1
EOF
	ln -sfn "/usr/lib/systemd/system/weak-$1.service" "$masks/multi-user.target.wants/weak-$1.service"
}

# archive NAME: an archive behind the initrd, whose file NAME is standard input; compressed as initrds are.
archive() {
	local work=$tree/run/weak-archive size
	mkdir -p "$work/$(dirname -- "$1")"
	cat >"$work/$1"
	chmod 755 "$work/$1"
	size=$(stat -L -c %s "$tree/boot/initrd.img")
	truncate -s "$(((size + 511) / 512 * 512))" "$tree/boot/initrd.img"
	(cd "$work" && find . -mindepth 1 | cpio --quiet --create --format newc | gzip -n) >>"$tree/boot/initrd.img"
	rm -rf "$work"
}

# A duty that is left out.
duty-kernel() { change "$duties/system_hardening.sh" 's/ kernel\.sh//'; }
duty-sysctl() { change "$duties/system_hardening.sh" 's/ sysctl\.sh//'; }
duty-accounts() { change "$duties/system_hardening.sh" 's/ accounts\.sh//'; }
duty-memory() { change "$duties/system_hardening.sh" 's/ memory\.sh//'; }
duty-devices() { change "$duties/system_hardening.sh" 's/ devices\.sh//'; }
duty-network() { change "$duties/system_hardening.sh" 's/ network\.sh//'; }
duty-firewall() {
	change "$duties/system_hardening.sh" 's/ firewall\.sh//'
	# It would power the machine off without a table for its addresses.
	rm -f "$masks"/multi-user.target.wants/cc-resolvers.*
}
duty-data-mounts() { change "$units/cc-data-mounts.service" 's,^ExecStart=.*,ExecStart=/bin/true,'; }
duty-lock-modules() { change "$units/cc-lock-modules.service" 's,^ExecStart=.*,ExecStart=/bin/true,'; }

# Privileges, accounts, programs.
setuid-shell() { install -m 4755 "$tree/bin/dash" "$tree/usr/bin/weak-shell"; }
setgid-program() { install -m 2755 "$tree/bin/true" "$tree/usr/bin/weak-group"; }
capability() {
	cp "$tree/bin/dash" "$tree/usr/bin/weak-capability"
	# cap_setuid, effective (struct vfs_cap_data of linux/capability.h).
	python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 7, 0, 0, 0))' "$tree/usr/bin/weak-capability"
}
# shellcheck disable=SC2016 # text of the file
account-password() { change "$tree/etc/shadow" 's,^root:[^:]*:,root:$6$weak$weak:,'; }
account-shell() {
	printf 'weak:x:1999:1999::/:/bin/sh\n' >>"$tree/etc/passwd"
	printf 'weak:!*:19000::::::\n' >>"$tree/etc/shadow"
}
second-root() {
	printf 'toor:x:0:0::/:/usr/sbin/nologin\n' >>"$tree/etc/passwd"
	printf 'toor:!*:19000::::::\n' >>"$tree/etc/shadow"
}
login-key() {
	mkdir -p "$tree/root/.ssh"
	printf 'ssh-ed25519 AAAA weak\n' >"$tree/root/.ssh/authorized_keys"
}
compiler() { program /usr/bin/gcc <<<'#!/bin/sh'; }
debugger() { program /usr/bin/strace <<<'#!/bin/sh'; }
package-manager() { program /usr/bin/apt <<<'#!/bin/sh'; }
sshd() { program /usr/sbin/sshd <<<'#!/bin/sh'; }
swap-program() { program /usr/sbin/swapon <<<'#!/bin/sh'; }

# Shells.
getty() {
	program /usr/sbin/agetty <<<$'#!/bin/sh\nwhile :; do read -r line || sleep 1; done'
	rm -f "$masks/getty@.service"
	printf '[Service]\nExecStart=/usr/sbin/agetty\nStandardInput=tty-force\nTTYPath=/dev/tty1\n' >"$masks/getty@tty1.service"
	ln -sfn "/etc/systemd/system/getty@tty1.service" "$masks/multi-user.target.wants/getty@tty1.service"
}
debug-shell() { rm "$masks/debug-shell.service"; }
serial-getty() { rm "$masks/serial-getty@.service"; }
ctrl-alt-del() { rm "$masks/ctrl-alt-del.target"; }
emergency-shell() { change "$masks/emergency.service" 's,^ExecStart=.*,ExecStart=/bin/sh,'; }
rescue-shell() { change "$masks/rescue.service" 's,^ExecStart=.*,ExecStart=/bin/sh,'; }
initrd-shell() {
	{
		cat "$tree/usr/lib/cc/lib/console.sh"
		printf 'power_off() {\n\tPS1="(initramfs) " sh -i </dev/null >/dev/console 2>&1\n\tsleep 2\n\tprintf o >/proc/sysrq-trigger\n\tsleep 60\n}\n'
	} | archive usr/lib/cc/lib/console.sh
}
# shellcheck disable=SC2016 # text of the file
overlay() {
	grep -q ',size=$(get overlay-size)"' "$tree/usr/lib/cc/mount-root" || die E_BUG "mount-root names no bound"
	sed 's/,size=$(get overlay-size)"/,size=0"/' "$tree/usr/lib/cc/mount-root" | archive usr/lib/cc/mount-root
}
udev-rule() { rm "$tree/etc/udev/rules.d/60-persistent-storage.rules"; }
generator() { rm "$tree/etc/systemd/system-generators/systemd-debug-generator"; }

# The kernel.
sysctl-kptr() { change "$tree/etc/cc/hardening/sysctl.conf" '/^kernel\.kptr_restrict /d'; }
sysctl-redirects() { change "$tree/etc/cc/hardening/sysctl.conf" '/^net\.ipv4\.conf\.all\.send_redirects /d'; }
core-dumps() { change "$tree/etc/cc/hardening/sysctl.conf" '/^kernel\.core_pattern /d'; }
swap() {
	service swap oneshot <<'PROGRAM'
#!/usr/bin/python3 -I
import ctypes, os, struct
size, name = 8 << 20, "/vault/swapfile"
with open(name, "wb") as file:
    os.fchmod(file.fileno(), 0o600)
    file.write(bytes(1024) + struct.pack("<III", 1, size // 4096 - 1, 0))
    file.write(bytes(4086 - file.tell()) + b"SWAPSPACE2" + bytes(size - 4096))
    file.flush()
    os.fsync(file.fileno())
if ctypes.CDLL(None, use_errno=True).swapon(name.encode(), 0) != 0:
    raise OSError(ctypes.get_errno(), name)
PROGRAM
}

# The network: ports of our own number, each of one protocol and one family.
inbound() { change "$duties/firewall.sh" "0,/^[$]inbound$/s//\t\tmeta nfproto $1 $2 dport $3 accept\n&/"; }
outbound() { change "$duties/firewall.sh" "0,/^[$]named$/s//\t\tmeta nfproto $1 $2 dport $3 accept\n&/"; }
inbound-tcp4() { inbound ipv4 tcp 4001; }
inbound-tcp6() { inbound ipv6 tcp 4002; }
inbound-udp4() { inbound ipv4 udp 4003; }
inbound-udp6() { inbound ipv6 udp 4004; }
outbound-tcp4() { outbound ipv4 tcp 22; }
outbound-tcp6() { outbound ipv6 tcp 80; }
outbound-udp4() { outbound ipv4 udp 443; }
outbound-udp6() { outbound ipv6 udp 853; }
forward() { change "$duties/firewall.sh" 's/(hook forward .*policy) drop/\1 accept/; s/-eq 3/-eq 2/'; }
listener() {
	service listener simple <<'PROGRAM'
#!/usr/bin/python3 -I
import socket, time
server = socket.create_server(("0.0.0.0", 4011))
time.sleep(100000)
PROGRAM
}

# Disks.
input-writable() { change "$duties/data_mounts.sh" 's/mount_disk input ro,noload/mount_disk input rw/'; }
input-links() { change "$duties/data_mounts.sh" 's/^(untrusted=.*),nosymfollow/\1/'; }
input-programs() { change "$duties/data_mounts.sh" 's/^(untrusted=.*),noexec/\1/'; }
client-output() {
	# shellcheck disable=SC2016 # for the shell of the guest
	change "$duties/data_mounts.sh" 's,^fulfilled data_mounts,find_disk nvflare-output \&\& mkdir -p /mnt/data/nvflare/output \&\&\n\tmount -t ext4 -o rw\,nosuid\,nodev\,noexec\,nosymfollow "$disk" /mnt/data/nvflare/output\n&,'
}
loose-mount() { service loose-mount oneshot <<<$'#!/bin/sh\nmkdir -p /mnt/loose && mount -t tmpfs tmpfs /mnt/loose'; }
disk-automount() {
	# shellcheck disable=SC2016 # for the shell of the guest
	service disk-automount oneshot <<<'#!/bin/sh
for file in /sys/class/block/*/serial; do
	[ "$(cat "$file")" != cc-auto ] || { mkdir -p /mnt/home && mount -t ext4 -o nosuid,nodev "/dev/$(basename "$(dirname "$file")")2" /mnt/home; }
done'
}
# As 9p would be, for which no module can be loaded any more.
other-mount() {
	service other-mount oneshot <<<$'#!/bin/sh\nmkdir -p /run/weak/a /run/weak/b /mnt/owned && mount -t overlay -o nosuid,nodev,lowerdir=/run/weak/a:/run/weak/b overlay /mnt/owned'
}

# Secrets.
leak() { service "$1" simple <<<"#!/bin/sh"$'\n'"until [ -s /opt/cc-canary ]; do sleep 1; done"$'\n'"$2"; }
secret-console() { leak secret-console 'head -n 1 /opt/cc-canary >/dev/console'; }
secret-log-disk() {
	# shellcheck disable=SC2016 # for the shell of the guest
	leak secret-log-disk 'for file in /sys/class/block/*/serial; do
	[ "$(cat "$file")" = nvflare-log ] && dd if=/opt/cc-canary of="/dev/$(basename "$(dirname "$file")")" conv=fsync
done'
}
secret-output() { leak secret-output 'cp /opt/cc-canary /mnt/data/nvflare/output/leak && sync'; }
kit-open() { chmod -R o+rX "$tree$site/kit"; }
key-initrd() { archive etc/cc/root.key <"$root_key"; }

# The service of FLARE.
flare-root() {
	change "$flare" 's/^(User|Group)=.*/\1=root/'
	change "$units/nvflare-workspace.service" 's/^(ExecStart=.*workspace\.sh) .*/\1 root root/'
}
job-calls() { change "$flare" '/^SystemCallFilter=~io_uring/d'; }
job-keyring() { change "$flare" 's/ @keyring//'; }
job-processes() { change "$flare" '/^ProtectProc=/d'; }
job-execution() { change "$flare" '/^NoExecPaths=/d'; }
job-netlink() { change "$flare" 's/^(RestrictAddressFamilies=.*)/\1 AF_NETLINK/'; }
job-files() { change "$flare" 's/^LimitNOFILE=.*/LimitNOFILE=70000/'; }
job-core() { change "$flare" 's/^LimitCORE=.*/LimitCORE=infinity/'; }
job-swap() { change "$flare" '/^MemorySwapMax=/d'; }
job-key() {
	mkdir -p "$tree/opt/weak"
	printf -- '-----BEGIN PRIVATE KEY-----\nstand-in\n-----END PRIVATE KEY-----\n' >"$tree/opt/weak/other.key"
}

for name in "${weakness[@]}"; do
	[[ $(type -t "$name") == function ]] || die E_STEP_ARGUMENT "--weakness: there is no '$name'"
	log "$name"
	"$name"
done
