#!/usr/bin/env bash
# Name the machine, and make the user and group that applications run as. Nobody has a password.
#
# Parameters:
#   --tree DIR        the tree to change
#   --hostname NAME   of the machine
#   --user NAME       to make
#   --uid NUMBER      its number
#   --group NAME      its group, also made
#   --gid NUMBER      the number of the group
#   --shell TEXT      its login shell
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: /etc/hostname, /etc/hosts, the user with an empty home directory

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

[[ -x $tree$shell ]] || die E_CONFIG "os.user.shell: '$shell' is not a program in the tree"
printf '%s\n' "$hostname" >"$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost ip6-loopback\n' "$hostname" >"$tree/etc/hosts"

tree_mounts "$tree"
# number DATABASE NAME: the id that NAME has in the tree; nothing where it has none.
number() { in_tree "$tree" getent "$1" "$2" | cut -d : -f 3; }

found=$(number group "$group") || found=
[[ -n $found ]] || in_tree "$tree" groupadd --gid "$gid" "$group"
[[ ${found:-$gid} == "$gid" ]] || die E_CONFIG "os.user.gid: the group '$group' is $found already, not $gid"
found=$(number passwd "$user") || found=
[[ -n $found ]] || in_tree "$tree" useradd --uid "$uid" --gid "$group" --shell "$shell" --create-home "$user"
[[ ${found:-$uid} == "$uid" ]] || die E_CONFIG "os.user.uid: the user '$user' is $found already, not $uid"
for name in root "$user"; do
	in_tree "$tree" passwd --quiet --lock "$name"
done
