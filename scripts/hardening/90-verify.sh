#!/usr/bin/env bash
# Look at a hardened tree as an attacker would, and fail where something was left: what an image must not have is
# refused when it is built, not found out when it runs.
#
# Parameters:
#   --tree DIR          the tree
#   [--setuid NAME]...  a program that may have its setuid or setgid bit
# Runs in: namespace
# Network: no
# Output: nothing; a failure names every finding

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
step "$@"

findings=()
read_list0 files find "$tree" -xdev -type f -perm /6000 -print0
for file in "${files[@]}"; do
	name=${file#"$tree"}
	for allowed in "${setuid[@]}"; do [[ $name != "$allowed" ]] || continue 2; done
	findings+=("$name has a setuid or setgid bit")
done

while IFS=: read -r name _ uid _ _ _ shell; do
	[[ $uid != 0 || $name == root ]] || findings+=("the account '$name' is a second root")
	[[ $shell == */nologin || $shell == */false ]] || findings+=("the account '$name' has the shell '$shell'")
done <"$tree/etc/passwd"
while IFS=: read -r name password _; do
	[[ $password == '!'* || $password == '*'* ]] || findings+=("the account '$name' has a password")
done <"$tree/etc/shadow"

for program in agetty getty login sulogin su sudo sshd ssh dropbear apt apt-get dpkg pip pip3 snap gcc cc g++ ld as make \
	gdb strace kexec swapon mkswap cloud-init pkexec systemd-run machinectl; do
	for folder in bin sbin usr/bin usr/sbin usr/local/bin usr/local/sbin; do
		[[ ! -e $tree/$folder/$program && ! -L $tree/$folder/$program ]] || findings+=("there is a program /$folder/$program")
	done
done
for path in etc/ssh etc/sudoers etc/cloud root/.ssh etc/pam.d/sshd usr/lib/snapd; do
	[[ ! -e $tree/$path ]] || findings+=("there is /$path")
done
for folder in etc usr opt lib bin sbin; do
	[[ -d $tree/$folder ]] || continue
	read_list writable find "$tree/$folder" -xdev -type f -perm /022 ! -perm -1000
	((${#writable[@]} == 0)) || findings+=("files that others may write: ${writable[*]:0:3}")
done
for unit in getty.target serial-getty@.service debug-shell.service systemd-logind.service ctrl-alt-del.target; do
	[[ $(readlink "$tree/etc/systemd/system/$unit") == /dev/null ]] || findings+=("$unit is not masked")
done

for kind in systemd/system-generators systemd/system-environment-generators udev/rules.d; do
	for file in "$tree"/usr/lib/"$kind"/*; do
		name=${file##*/}
		[[ $name != cc-partitions && $name != *nvidia* ]] || continue
		[[ ! -e $file || $(readlink "$tree/etc/$kind/$name") == /dev/null ]] ||
			grep -qxF -- "$name" "$scripts_dir/guest/initramfs/kept-rules" || findings+=("/usr/lib/$kind/$name is not masked")
	done
done

# A unit that fails at boot is found here.
read_list failing python3 -B "$scripts_dir/lib/units.py" check "$tree"
findings+=("${failing[@]}")
read_list users python3 -B "$scripts_dir/lib/units.py" users "$tree"
findings+=("${users[@]/%/ asks for a user namespace, and gets none}")

((${#findings[@]} == 0)) || die E_IMAGE "the hardened tree is not closed: $(printf '%s; ' "${findings[@]}")" "take it out in scripts/hardening/20-remove.sh, or list it in hardening.setuid"
