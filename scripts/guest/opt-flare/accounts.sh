#!/bin/sh
# accounts.sh: nobody can log in. The files come from the image, whose bytes are verified; this finds an image that was
# built wrong.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

while IFS=: read -r name _ uid _ _ _ shell; do
	[ "$uid" != 0 ] || [ "$name" = root ] || fail "accounts: '$name' is a second root"
	case $shell in
	*/nologin | */false) ;;
	*) fail "accounts: '$name' has the shell '$shell'" ;;
	esac
done <"$R/etc/passwd"
while IFS=: read -r name password _; do
	case $password in
	'!'* | '*'*) ;;
	*) fail "accounts: '$name' has a password" ;;
	esac
done <"$R/etc/shadow"
# systemd-tmpfiles may make the folder; what is in it would let somebody in.
for file in "$R/root"/.ssh/* "$R"/home/*/.ssh/*; do
	[ ! -e "$file" ] || fail "accounts: there is ${file#"$R"}"
done
for program in agetty getty login sulogin su sudo sshd dropbear; do
	for folder in bin sbin usr/bin usr/sbin usr/local/bin usr/local/sbin; do
		[ ! -e "$R/$folder/$program" ] || fail "accounts: there is a program /$folder/$program"
	done
done
fulfilled accounts
