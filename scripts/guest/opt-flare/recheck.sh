#!/bin/sh
# recheck.sh: attest this machine again and again, for as long as it runs. What was good at boot may have been withdrawn
# since. Too many failures in a row stop FLARE, take the GPUs' ready state back, close the vault and power off.

# shellcheck source=lib/site.sh
. /opt/flare/scripts/lib/site.sh
# shellcheck source=../cc/lib/gpu.sh
. /usr/lib/cc/lib/gpu.sh

# Read once: site.conf is on a disk of the host, which can stop giving it. What cannot be read is no permission to go on.
period=$(site recheck) asked=$(site recheck-ask)
case $period in
0) exit 0 ;;
'' | *[!0-9]*) fail "attestation: '$period' is not a number of seconds" ;;
esac
[ -n "$asked" ] || fail "attestation: site.conf does not say who is asked"
refusals=$(site recheck-failures) silences=$(site recheck-network-failures)
case $refusals$silences in
'' | *[!0-9]*) fail "attestation: site.conf does not say how many failures stop the machine" ;;
esac
# How long evidence of processor and GPUs may take, in seconds: NVIDIA's SDK waits for ever for a service that says nothing.
limit=180

# What a round found: passed, refused or unreachable, and why.
result='' reason=''

# found RESULT REASON: what a part of a round found. A refusal counts more than silence, and that more than what passed.
found() {
	case $result,$1 in
	passed,refused | passed,unreachable | unreachable,refused) result=$1 reason=$2 ;;
	esac
}

# ask_broker: the key broker judges fresh evidence, as it did at boot. The key that it releases is not used.
ask_broker() {
	for name in $(conf_get "$R/run/cc/boot.conf" partitions); do
		[ "$(conf_get "$R/run/cc/boot.conf" "$name.key")" = kbs ] || continue
		status=0
		said=$(BOOT_CONF="$R/run/cc/boot.conf" "$R/usr/lib/cc/key-source/kbs" "$name" 2>&1 >/dev/null) || status=$?
		case $status in
		0) ;;
		4) found unreachable "$said" ;;
		*) found refused "$said" ;;
		esac
		return
	done
	found refused "no partition has a key of the key broker"
}

# ask_machine PART...: evidence of processor and GPUs by one nonce; that of the GPUs is appraised. A failure counts as a
# refusal, and so does silence: what NVIDIA's SDK says does not tell the two apart.
ask_machine() {
	set -- --verify "$@"
	status=0
	timeout -k 5 "$limit" "$R/opt/cc/bin/cc-attest" "$@" >"$STATE/recheck.json" 2>"$STATE/recheck.message" || status=$?
	case $status in
	0) ;;
	124 | 137) found refused "there was no evidence within $limit seconds" ;;
	*) found refused "the evidence was rejected: $(evidence_problem "$STATE/recheck.json" "$STATE/recheck.message")" ;;
	esac
}

# ask: one round. All are asked, whatever the first one says.
ask() {
	result=passed reason='' parts=''
	for _whom in $asked; do
		case $_whom in
		kbs) ask_broker ;;
		cpu) parts="$parts --cpu" ;;
		gpu) [ -e "$GPU_STATE/absent" ] || parts="$parts --gpu" ;;
		*) found refused "'$_whom' cannot be asked" ;;
		esac
	done
	# shellcheck disable=SC2086 # one word for each part
	[ -z "$parts" ] || ask_machine $parts
}

# stop_all: leave nothing behind that is worth something. Each part has its time: the last one is what counts.
stop_all() {
	timeout -k 5 60 systemctl stop nvflare.service nvflare-workspace.service || timeout -k 5 10 systemctl kill --signal KILL nvflare.service
	timeout -k 5 30 sync
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
