# shellcheck shell=sh
# Reading boot.conf, the description of the partitions that the seal puts into the initrd, where it is measured.
# One `key=value` a line, no quoting and no comments: what is not expected is refused, not interpreted.
#
#   version=1
#   profile=development|production
#   cmdline=console=ttyS0 …             the kernel command line, word for word
#   partitions=cc-root cc-app …         in the order in which they are opened
#   cc-root.encryption=luks2            and so on: the keys are listed in conf_known

# conf_known KEY: whether boot.conf may hold KEY.
conf_known() {
	case $1 in
	*[!a-z0-9.-]*) return 1 ;;
	version | profile | cmdline | partitions) return 0 ;;
	kbs.url | kbs.timeout | kbs.attempts | cc-*.kbs-resource) return 0 ;;
	network.mode | network.interface | network.timeout) return 0 ;;
	network.address | network.netmask | network.gateway | network.dns) return 0 ;;
	clock.servers | clock.agreeing | clock.timeout) return 0 ;;
	tee-derived.root-key | tee-derived.fields | tee-derived.vmpl) return 0 ;;
	tee-derived.svn | tee-derived.tcb-version) return 0 ;;
	cc-*.mount | cc-*.filesystem | cc-*.options | cc-*.encryption | cc-*.integrity | cc-*.header) return 0 ;;
	cc-*.key | cc-*.key-file | cc-*.plain-allowed | cc-*.grow | cc-*.journal-offset) return 0 ;;
	cc-*.overlay-size | cc-*.verity-root-hash | cc-*.verity-salt | cc-*.verity-blocks | cc-*.verify) return 0 ;;
	esac
	return 1
}

# conf_check FILE: print what is wrong with FILE and return 1, or return 0.
conf_check() {
	_seen=' '
	[ -r "$1" ] || {
		echo "boot.conf is missing"
		return 1
	}
	while IFS= read -r _line || [ -n "$_line" ]; do
		_key=${_line%%=*}
		case $_line in
		*=*) ;;
		*)
			echo "boot.conf has a line that is not key=value: '$_line'"
			return 1
			;;
		esac
		conf_known "$_key" || {
			echo "boot.conf has an unknown key: '$_key'"
			return 1
		}
		case $_seen in
		*" $_key "*)
			echo "boot.conf repeats the key '$_key'"
			return 1
			;;
		esac
		_seen="$_seen$_key "
		# A kernel parameter may have any character that can be printed; it is compared, and never used.
		case $_key in
		cmdline) _unexpected='*[! -~]*' ;;
		*) _unexpected='*[!A-Za-z0-9_.,:/%= +@-]*' ;;
		esac
		# shellcheck disable=SC2254 # a pattern
		case ${_line#*=} in
		$_unexpected)
			echo "boot.conf has a value with an unexpected character: '$_key'"
			return 1
			;;
		esac
	done <"$1"
	[ "$(conf_get "$1" version)" = 1 ] || {
		echo "boot.conf is of version '$(conf_get "$1" version)', this image reads version 1"
		return 1
	}
}

# conf_get FILE KEY: print the value of KEY, nothing where it is not set.
conf_get() {
	while IFS= read -r _line || [ -n "$_line" ]; do
		[ "${_line%%=*}" != "$2" ] || printf '%s\n' "${_line#*=}"
	done <"$1"
}
