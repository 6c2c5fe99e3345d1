#!/bin/sh
# kernel.sh: whether the kernel is locked as the measured command line says, and cannot be replaced while it runs.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh

wanted=
read -r line <"$R/proc/cmdline"
for word in $line; do
	case $word in
	lockdown=*) wanted=${word#*=} ;;
	init=* | systemd.unit=* | single | emergency | rescue | rd.break*) fail "kernel: '$word' is on the command line" ;;
	esac
done
if [ -n "$wanted" ]; then
	state=
	[ ! -r "$R/sys/kernel/security/lockdown" ] || read -r state <"$R/sys/kernel/security/lockdown" || :
	case $state in
	*"[$wanted]"*) ;;
	*) fail "kernel: lockdown is '$state', not '$wanted'" ;;
	esac
fi
remember lockdown "${wanted:-none}"

loaded=0
[ ! -r "$R/sys/kernel/kexec_loaded" ] || read -r loaded <"$R/sys/kernel/kexec_loaded"
[ "$loaded" = 0 ] || fail "kernel: another kernel is loaded"
fulfilled kernel
