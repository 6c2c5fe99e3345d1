#!/usr/bin/env bash
# Set the language and the time zone of a tree.
#
# Parameters:
#   --tree DIR        the tree to change
#   --locale NAME     for example en_US.UTF-8
#   --timezone NAME   a file of /usr/share/zoneinfo, for example UTC
#   --source-date-epoch NUMBER  the time stamp of the build, in seconds since 1970
# Runs in: namespace
# Network: no
# Output: /etc/default/locale, /etc/locale.conf, /etc/localtime, /etc/timezone and the compiled locale in the tree

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
step "$@"

[[ -f $tree/usr/share/zoneinfo/$timezone ]] ||
	die E_CONFIG "os.timezone: there is no time zone '$timezone' in the tree" "use a name such as UTC or Europe/Berlin"
ln -sfn "/usr/share/zoneinfo/$timezone" "$tree/etc/localtime"
printf '%s\n' "$timezone" >"$tree/etc/timezone"

charset=${locale##*.}
case $locale in
C | POSIX | C.UTF-8 | C.utf8) ;;
*)
	grep -qx "$locale $charset" "$tree/usr/share/i18n/SUPPORTED" 2>/dev/null ||
		die E_CONFIG "os.locale: '$locale' is not a locale that the tree can make" "use a name such as en_US.UTF-8"
	printf '%s %s\n' "$locale" "$charset" >"$tree/etc/locale.gen"
	tree_mounts "$tree"
	# One locale, in its own folder: an archive would keep the order in which locales were added.
	in_tree "$tree" localedef --no-archive -i "${locale%%.*}" -f "$charset" -A /usr/share/locale/locale.alias "$locale"
	;;
esac
# One file under both names. Which of the two is the link differs between releases, so both are made anew.
rm -f "$tree/etc/locale.conf" "$tree/etc/default/locale"
printf 'LANG=%s\n' "$locale" >"$tree/etc/locale.conf"
ln -s ../locale.conf "$tree/etc/default/locale"
