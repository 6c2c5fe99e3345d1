# shellcheck shell=sh
# What a site is allowed to do: site.conf, on the partition cc-ro, whose root hash is measured. Sourced by the duties.
# One `key=value` a line, no quoting and no comments: what is not expected is refused, not interpreted.

# shellcheck source=../../cc/lib/console.sh
. /usr/lib/cc/lib/console.sh
# shellcheck source=../../cc/lib/boot-conf.sh
. /usr/lib/cc/lib/boot-conf.sh

RO="$R$(conf_get "$R/run/cc/boot.conf" cc-ro.mount)"
SITE="$RO/site.conf"
# Where the duties tell the report what they did.
STATE="$R/run/cc/hardening"

# site_known KEY: whether site.conf may hold KEY.
site_known() {
	case $1 in
	version | site | role | inbound | outbound | resolvers | hosts | logs) return 0 ;;
	input | input-key | output | output-key | workspace) return 0 ;;
	recheck | recheck-ask | recheck-failures | recheck-network-failures) return 0 ;;
	esac
	return 1
}

# site_check: print what is wrong with site.conf and return 1, or return 0.
site_check() {
	_seen=' '
	[ -r "$SITE" ] || {
		echo "site.conf is missing"
		return 1
	}
	while IFS= read -r _line || [ -n "$_line" ]; do
		_key=${_line%%=*}
		case $_line in
		*=*) ;;
		*)
			echo "site.conf has a line that is not key=value: '$_line'"
			return 1
			;;
		esac
		site_known "$_key" || {
			echo "site.conf has an unknown key: '$_key'"
			return 1
		}
		case $_seen in
		*" $_key "*)
			echo "site.conf repeats the key '$_key'"
			return 1
			;;
		esac
		_seen="$_seen$_key "
		case ${_line#*=} in
		*[!A-Za-z0-9_.,:/=\ @-]*)
			echo "site.conf has a value with an unexpected character: '$_key'"
			return 1
			;;
		esac
	done <"$SITE"
	[ "$(site version)" = 1 ] || {
		echo "site.conf is of version '$(site version)', this image reads version 1"
		return 1
	}
	case $(site role) in
	client | server) ;;
	*)
		echo "site.conf has the role '$(site role)'"
		return 1
		;;
	esac
}

# site KEY: print the value of KEY, nothing where it is not set.
site() { conf_get "$SITE" "$1"; }

# remember NAME VALUE: for the report.
remember() {
	mkdir -p "$STATE"
	printf '%s\n' "$2" >"$STATE/$1"
}

# fulfilled DUTY: this duty came to its end. What is not written down here was left out.
fulfilled() { remember "duty-$1" 'done'; }

# recall NAME: what was remembered; nothing where nothing was.
recall() {
	_value=
	[ ! -r "$STATE/$1" ] || read -r _value <"$STATE/$1" || :
	printf '%s\n' "$_value"
}
