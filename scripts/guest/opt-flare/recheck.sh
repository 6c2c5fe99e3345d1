#!/bin/sh
# recheck.sh: attest this machine again and again, for as long as it runs. What was good at boot may have been withdrawn
# since. Too many failures in a row stop FLARE, take the GPUs' ready state back, close the vault and power off.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh
# shellcheck source=../cc/lib/gpu.sh
. /usr/lib/cc/lib/gpu.sh

period=$(site recheck)
case $period in
'' | 0) exit 0 ;;
*[!0-9]*) fail "attestation: '$period' is not a number of seconds" ;;
esac
refusals=$(site recheck-failures) silences=$(site recheck-network-failures)
case $refusals$silences in
'' | *[!0-9]*) fail "attestation: site.conf does not say how many failures stop the machine" ;;
esac

# What a round found: passed, refused or unreachable, and why.
result='' reason=''

# ask_broker: the key broker judges fresh evidence, as it did at boot. The key that it releases is not used.
ask_broker() {
	for name in $(conf_get "$R/run/cc/boot.conf" partitions); do
		[ "$(conf_get "$R/run/cc/boot.conf" "$name.key")" = kbs ] || continue
		status=0
		reason=$(BOOT_CONF="$R/run/cc/boot.conf" "$R/usr/lib/cc/key-source/kbs" "$name" 2>&1 >/dev/null) || status=$?
		case $status in
		0) result=passed ;;
		4) result=unreachable ;;
		*) result=refused ;;
		esac
		return
	done
	result=refused reason="no partition has a key of the key broker"
}

# ask_machine PART...: evidence of processor and GPUs by one nonce; that of the GPUs is appraised. A failure counts as a
# refusal: what NVIDIA's SDK says does not tell the two apart.
ask_machine() {
	set -- --verify "$@"
	if "$R/opt/cc/bin/cc-attest" "$@" >"$STATE/recheck.json" 2>"$STATE/recheck.message"; then
		result=passed
	else
		result=refused
		reason="the evidence was rejected: $(evidence_problem "$STATE/recheck.json" "$STATE/recheck.message")"
	fi
}

# ask: one round.
ask() {
	result=passed reason='' parts=''
	for _whom in $(site recheck-ask); do
		case $_whom in
		kbs) ask_broker ;;
		cpu) parts="$parts --cpu" ;;
		gpu) [ -e "$GPU_STATE/absent" ] || parts="$parts --gpu" ;;
		*) result=refused reason="'$_whom' cannot be asked" ;;
		esac
		[ "$result" = passed ] || return 0
	done
	# shellcheck disable=SC2086 # one word for each part
	[ -z "$parts" ] || ask_machine $parts
}

# stop_all: leave nothing behind that is worth something. Each part has its time: the last one is what counts.
stop_all() {
	timeout -k 5 60 systemctl stop nvflare.service nvflare-workspace.service || timeout -k 5 10 systemctl kill --signal KILL nvflare.service
	timeout -k 5 30 nvidia-smi conf-compute -srs 0
	timeout -k 5 10 umount "$R/run/nvflare/results"
	timeout -k 5 10 umount "$R$(conf_get "$R/run/cc/boot.conf" cc-app.mount)"
	timeout -k 5 10 cryptsetup close cc-app
} >/dev/null 2>&1

mkdir -p "$STATE"
refused=0 silent=0
while sleep "$period"; do
	ask
	case $result in
	passed) refused=0 silent=0 ;;
	unreachable) silent=$((silent + 1)) ;;
	*) refused=$((refused + 1)) ;;
	esac
	said=$(json_text "$(printf %s "$reason" | tail -n 1 | head -c 300)")
	audit attestation "\"result\":\"$result\",\"refused\":$refused,\"unreachable\":$silent,\"reason\":$said"
	[ "$refused" -lt "$refusals" ] || why="refusals in a row: $refused"
	[ "$silences" = 0 ] || [ "$silent" -lt "$silences" ] || why="rounds without an answer: $silent"
	[ -z "${why-}" ] || {
		stop_all
		fail "attestation: $why; $reason"
	}
done
fail "attestation: it stopped"
