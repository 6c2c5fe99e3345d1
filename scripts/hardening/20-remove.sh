#!/usr/bin/env bash
# Take out of a tree whatever lets a person in, builds or installs software, or gains privileges.
#
# Parameters:
#   --tree DIR          the tree to change
#   [--setuid NAME]...  a program that keeps its setuid or setgid bit, an absolute path in the guest
#   --venv NAME         the virtual environment of FLARE, an absolute path in the guest
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: the tree without those programs; no account with a password or a shell

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/remove.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/remove.sh"
step "$@"
need dpkg-query

tree_mounts "$tree"

# Packages: with their units, accounts and configuration. What depends on them has lost its purpose, too.
unwanted_read 'base hardened'
read_list found unwanted_installed "$tree"
installed=("${found[@]%% *}")
if ((${#installed[@]} > 0)); then
	log "removing ${installed[*]}"
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	in_tree "$tree" dpkg --purge --force-depends --force-remove-protected --force-remove-essential "${installed[@]}" \
		</dev/null 2>&1 | tee "$tree/run/cc-removal.log" >&2 ||
		removal_blame "$tree/run/cc-removal.log" "build the FLARE image without it"
	rm -f "$tree/usr/sbin/policy-rc.d"
fi
for path in "${unwanted_paths[@]}"; do rm -rf -- "${tree:?}$path"; done
rm -rf "$tree"/etc/{netplan,ssh,sudoers,sudoers.d,cron.*,polkit-1} "$tree"/{root,home/*}/.ssh

# Programs of packages that are essential, or whose libraries are needed: to log in, to change users, to install, to
# build, to debug, and to start another kernel.
programs=(
	login agetty getty sulogin su sudo runuser newgrp sg passwd chpasswd chgpasswd chage chfn chsh expiry gpasswd vipw vigr
	useradd usermod userdel groupadd groupmod groupdel adduser deluser addgroup delgroup newusers pwconv pwunconv
	newuidmap newgidmap pkexec ssh sshd ssh-agent ssh-keygen scp sftp telnet nc ncat socat
	apt apt-get apt-cache apt-cdrom apt-config apt-ftparchive apt-key apt-mark aptitude dpkg dpkg-deb dpkg-divert
	dpkg-maintscript-helper dpkg-query dpkg-split dpkg-statoverride dpkg-trigger dpkg-realpath dpkg-reconfigure
	dpkg-preconfigure debconf unminimize snap dkms
	gcc g++ cc c++ cpp c89 c99 clang ld as ar nm objdump make cmake gdb strace ltrace perf bpftool
	pip pip3 kexec coldreboot update-initramfs mkinitramfs debugfs
	machinectl systemd-nspawn portablectl systemd-run systemd-mount systemd-umount systemd-cryptenroll systemd-firstboot
	homectl userdbctl loginctl systemd-ac-power systemd-repart bootctl kernel-install script scriptlive
)
for folder in bin sbin usr/bin usr/sbin usr/local/bin usr/local/sbin; do
	for program in "${programs[@]}"; do rm -f "$tree/$folder/$program"; done
done
rm -f "$tree/usr/lib/dbus-1.0/dbus-daemon-launch-helper"
rm -rf "$tree"/usr/lib/apt "$tree"/etc/apt "$tree"/usr/lib/snapd "$tree"/usr/share/python-wheels
rm -rf "$tree"/usr/lib/python3*/ensurepip "$tree"/usr/lib/python3/dist-packages/pip
rm -f "$tree$venv"/bin/pip* "$tree$venv"/bin/*ctivate*
rm -rf "$tree$venv"/lib/python3*/site-packages/pip "$tree$venv"/lib/python3*/site-packages/pip-*.dist-info

# Nobody logs in: no password, no shell, no second root.
sed -i -E 's,^([^:]*:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*):.*$,\1:/usr/sbin/nologin,' "$tree/etc/passwd"
sed -i -E 's,^([^:]*):[^:]*:,\1:!*:,' "$tree/etc/shadow"
awk -F : '$3 == 0 && $1 != "root" { exit 1 }' "$tree/etc/passwd" || die E_IMAGE "an account besides root has the number 0"
printf '/usr/sbin/nologin\n' >"$tree/etc/shells"
: >"$tree/etc/securetty"

# Privileges by file: only what is listed.
read_list0 files find "$tree" -xdev -type f -perm /6000 -print0
for file in "${files[@]}"; do
	name=${file#"$tree"}
	for allowed in "${setuid[@]}"; do [[ $name != "$allowed" ]] || continue 2; done
	chmod ug-s -- "$file"
done
# File capabilities are an extended attribute.
python3 - "$tree/usr" <<'PYTHON'
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.islink(path) and "security.capability" in os.listxattr(path):
            os.removexattr(path, "security.capability")
PYTHON
