# shellcheck shell=sh
# What gpu-load and gpu-ready share. Sourced after console.sh.

GPU_CONF="$R/etc/cc/gpu.conf"
GPU_STATE="$R/run/cc/gpu"

# gpu_conf KEY: a value of gpu.conf, which is one key=value a line.
gpu_conf() { sed -n "s/^$1=//p" "$GPU_CONF" | tail -n 1; }

# gpu_devices: the PCI devices that are NVIDIA's GPUs, one path a line: VGA or 3D controllers.
gpu_devices() {
	for device in "$R"/sys/bus/pci/devices/*; do
		[ -e "$device/vendor" ] || continue
		read -r vendor <"$device/vendor"
		read -r class <"$device/class"
		case $vendor:$class in 0x10de:0x0300?? | 0x10de:0x0302??) printf '%s\n' "$device" ;; esac
	done
}

# gpu_state WORD: absent, loaded, ready or failed; a file of that name, for units to look at.
gpu_state() {
	mkdir -p "$GPU_STATE"
	rm -f "$GPU_STATE/absent" "$GPU_STATE/loaded" "$GPU_STATE/ready" "$GPU_STATE/failed"
	: >"$GPU_STATE/$1"
}

# gpu_answer TITLE: the answer of nvidia-smi on stdin to a question that has one: what stands behind "TITLE:", in lower
# case. Compared as a whole by the caller, since "not-ready" holds "ready". Nothing where there is not just one line.
gpu_answer() {
	tr 'A-Z\t' 'a-z ' | sed -n "s/^ *$1: *\(.*[^ ]\) *\$/\1/p" | { read -r first && ! read -r _ && printf '%s' "$first"; }
}

# evidence_problem FILE MESSAGES: why cc-attest, whose answer is in FILE, found no good evidence. What is in an answer may
# come from the network: a line of plain text is shown, and no more.
evidence_problem() {
	_detail=$(sed -n 's/.*"detail": *"\([^"]*\)".*/\1/p' "$1" | head -n 1)
	[ -n "$_detail" ] || _detail=$(tail -n 1 "$2")
	printf '%s' "${_detail:-it gave no reason}" | tr -cd ' -~' | head -c 300
}

# gpu_failed MESSAGE: as configured: power off, or leave the GPU not ready. Never returns.
gpu_failed() {
	nvidia-smi conf-compute -srs 0 >/dev/null 2>&1
	gpu_state failed
	[ "$(gpu_conf on-failure)" = stop ] || fail "GPU: $*"
	say "GPU: $*; it stays not ready"
	exit 1
}
