# shellcheck shell=sh
# Talking to the console, and the only way in which a boot script gives up. Sourced by every program in this folder.
# Every path begins with R. It is empty; tests make copies of these programs in which it is a folder (scripts/test/guest.bash).

R=''

# say MESSAGE: one line for whoever watches the console.
say() { printf 'cc: %s\n' "$*" >"$R/dev/console"; }

# json_text VALUE: VALUE as a JSON string. What is shown never needs escapes; what does is dropped.
json_text() { printf '"%s"' "$(printf '%s' "$1" | tr -cd 'A-Za-z0-9_.,:/=@+ -')"; }

# audit EVENT MEMBERS: a line for whoever keeps the records: what was decided and why, with a number that is in no other line.
# MEMBERS are of a JSON object. No secret, no address of a person.
audit() {
	_id=
	{ read -r _id <"$R/proc/sys/kernel/random/uuid"; } 2>/dev/null || :
	printf '\nCC-AUDIT {"version":1,"event":"%s","id":"%s",%s}\n' "$1" "${_id%%-*}" "$2" >"$R/dev/console"
}

# power_off: at once and without any program that could ask a question. The kernel's own trigger first: it works
# in the initrd, and when the root file system is gone. Before it, a moment for the reason: the driver of the console
# sends in its own time, and what it has not sent when the machine goes off is lost. A wait for the driver itself would
# be for as long as the host likes, who can stop the line.
power_off() {
	sleep 1
	printf o >"$R/proc/sysrq-trigger" 2>/dev/null
	sleep 10
	poweroff -f
	while :; do sleep 60; done
}

# fail MESSAGE: name what failed in one plain line, and power off. Never returns, never offers a shell.
fail() {
	say "FAILED: $*; powering off"
	power_off
}
