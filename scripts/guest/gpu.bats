#!/usr/bin/env bats
# gpu-load, gpu-ready and cc-attest under dash, on a folder that stands in for the file system, with programs of NVIDIA and
# of snpguest that do what the real ones do.
# shellcheck disable=SC2016 # programs for other shells

. "$BATS_TEST_DIRNAME/../test/guest.bash"

setup() {
	bats_require_minimum_version 1.5.0
	root=$BATS_TEST_TMPDIR/root
	guest=$BATS_TEST_DIRNAME
	bin=$BATS_TEST_TMPDIR/bin
	calls=$BATS_TEST_TMPDIR/calls
	mkdir -p "$root"/{dev,proc/driver/nvidia/gpus,run/cc,etc/cc,usr/lib/cc,opt/cc,sys/bus/pci/devices} "$bin"
	cp -R "$guest/cc/." "$root/usr/lib/cc/"
	cp -R "$guest/opt-cc/." "$root/opt/cc/"
	guest_programs "$root"
	: >"$root/dev/console"
	: >"$root/proc/modules"
	: >"$calls"
	printf 'reset=no\non-failure=power-off\nattempts=1\n' >"$root/etc/cc/gpu.conf"
	printf 'sdk=python\nvenv=/opt/cc/venv\nverifier=local\nnras=http://n\nrim=http://r\nocsp=http://o\ntoken-file=/etc/cc/token\n' >"$root/etc/cc/attestation.conf"
	export root PATH=$bin:$PATH calls
	program sleep 'exit 0'
}

# program NAME TEXT: one that notes how it is called.
program() {
	printf '#!/bin/sh\necho "%s $*" >>"$calls"\n%s\n' "$1" "$2" >"$bin/$1"
	chmod 755 "$bin/$1"
}

# gpu ADDRESS [CLASS]: a PCI device of NVIDIA.
gpu() {
	local device=$root/sys/bus/pci/devices/$1
	mkdir -p "$device"
	echo 0x10de >"$device/vendor"
	echo "${2:-0x030200}" >"$device/class"
	: >"$device/reset"
	mkdir -p "$root/proc/driver/nvidia/gpus/$1"
}

load() { run dash "$root/usr/lib/cc/gpu-load"; }
ready() { run dash "$root/usr/lib/cc/gpu-ready"; }
attest() { run --separate-stderr dash "$root/opt/cc/bin/cc-attest" "$@"; }
console() { cat "$root/dev/console"; }
powered_off() { [[ $(console) == *"FAILED: GPU: $1"*"powering off" ]]; }

# smi MODE STATE: nvidia-smi with answers of the real one.
smi() {
	program nvidia-smi "case \$2 in -f) echo '$1' ;; -grs) echo 'Confidential Compute GPUs Ready state: $2' ;; esac"
}

loaded() {
	gpu 0000:01:00.0
	mkdir -p "$root/run/cc/gpu"
	: >"$root/run/cc/gpu/loaded"
}

# attested STATUS: cc-attest that ends so.
attested() {
	printf '#!/bin/sh\necho "attest $*" >>"$calls"\necho "{}"\necho "says why" >&2\nexit %s\n' "$1" >"$root/opt/cc/bin/cc-attest"
	chmod 755 "$root/opt/cc/bin/cc-attest"
}

@test "without a GPU the driver is not loaded, and that is said" {
	gpu 0000:02:00.0 0x040300 # the sound of a GPU is none
	program modprobe ''
	load
	((status == 0))
	[[ $(console) == *"GPU: there is none of NVIDIA"* && -e $root/run/cc/gpu/absent ]]
	[[ ! -s $calls ]]
	ready
	((status == 0))
	[[ ! -s $calls ]]
}

@test "the driver is loaded in order, after a reset where one is asked for" {
	gpu 0000:01:00.0
	gpu 0000:02:00.0 0x030000
	sed -i s/reset=no/reset=yes/ "$root/etc/cc/gpu.conf"
	program modprobe ''
	program nvidia-modprobe ''
	load
	((status == 0))
	[[ $(cat "$root/sys/bus/pci/devices/0000:01:00.0/reset") == 1 ]]
	diff -u "$calls" - <<<$'sleep 3\nmodprobe nvidia\nmodprobe nvidia_uvm\nnvidia-modprobe -c 0 -u\nnvidia-modprobe -c 1 -u'
	[[ -e $root/run/cc/gpu/loaded ]]
}

@test "a driver that is there before its time is a failure" {
	gpu 0000:01:00.0
	echo 'nvidia 9 0 - Live 0x0' >"$root/proc/modules"
	program modprobe ''
	program nvidia-smi ''
	load
	powered_off "the driver was loaded before its time"
	diff -u "$calls" - <<<'nvidia-smi conf-compute -srs 0'
}

@test "a driver that does not load is told with its message" {
	gpu 0000:01:00.0
	program modprobe 'echo "modprobe: ERROR: no such device" >&2; exit 1'
	load
	powered_off "the driver does not load: modprobe: ERROR: no such device"
	[[ -e $root/run/cc/gpu/failed ]]
}

@test "a driver that does not take all GPUs is not waited for without end" {
	gpu 0000:01:00.0
	rmdir "$root/proc/driver/nvidia/gpus/0000:01:00.0"
	program modprobe ''
	load
	powered_off "the driver did not take all 1 GPUs"
}

@test "a GPU is made ready after its attestation, and not before" {
	loaded
	smi 'CC status: ON' ready
	attested 0
	ready
	((status == 0))
	diff -u "$calls" - <<<$'nvidia-smi conf-compute -f\nattest --gpu --verify\nnvidia-smi conf-compute -srs 1\nnvidia-smi conf-compute -grs'
	[[ -e $root/run/cc/gpu/ready && $(console) == *"GPU: attested and ready"* ]]
}

@test "drivers that call it a feature are understood" {
	loaded
	smi '	CC feature: ON' ready
	attested 0
	ready
	((status == 0))
}

@test "an attestation that fails sets the GPU not ready and powers off" {
	loaded
	smi 'CC status: ON' ready
	attested 1
	ready
	powered_off "the attestation failed: says why"
	# What cc-attest has found out is in its answer.
	sed -i "s/^echo \"{}\"/printf '%s\\\\n' '{\"gpu\":{\"status\":\"failed\",\"detail\":\"CC is off\"}}'/" "$root/opt/cc/bin/cc-attest"
	: >"$root/dev/console"
	: >"$calls"
	loaded
	ready
	powered_off "the attestation failed: CC is off"
	[[ $(tail -n 1 "$calls") == 'nvidia-smi conf-compute -srs 0' && $(cat "$calls") != *'-srs 1'* ]]
}

@test "or leaves the machine running, where that is configured" {
	loaded
	sed -i s/power-off/stop/ "$root/etc/cc/gpu.conf"
	smi 'CC status: ON' ready
	attested 1
	ready
	((status == 1))
	[[ $(console) == *"it stays not ready" && $(console) != *powering* && -e $root/run/cc/gpu/failed ]]
	[[ $(cat "$calls") != *'-srs 1'* ]]
}

@test "it is tried as often as configured" {
	loaded
	sed -i s/attempts=1/attempts=3/ "$root/etc/cc/gpu.conf"
	smi 'CC status: ON' ready
	attested 1
	ready
	powered_off "the attestation failed"
	[[ $(grep -c '^attest' "$calls") == 3 ]]
}

@test "not-ready is not ready" {
	loaded
	attested 0
	local answer
	for answer in not-ready 'not ready' 'ready now' ''; do
		loaded
		smi 'CC status: ON' "$answer"
		ready
		powered_off "it says '"
	done
}

@test "confidential computing must be on, as a whole word" {
	loaded
	attested 0
	local mode
	for mode in 'CC status: OFF' 'CC status: ON (devtools)' 'CC status: NONE' 'nothing' $'CC status: ON\nCC status: OFF'; do
		loaded
		smi "$mode" ready
		ready
		powered_off "confidential computing is '"
	done
	[[ $(cat "$calls") != *'-srs 1'* && $(cat "$calls") != *attest* ]]
}

nonce=$(printf '%064d' 7)

@test "cc-attest without a TEE and a GPU says so, in JSON and in its exit status" {
	attest --nonce "$nonce"
	((status == 5))
	[[ $(jq -r '[.nonce, .cpu.status, .gpu.status] | join(" ")' <<<"$output") == "$nonce absent absent" ]]
	attest --cpu
	((status == 3))
	[[ $(jq -c .gpu <<<"$output") == null ]]
	attest --gpu
	((status == 4))
}

@test "cc-attest refuses wrong usage" {
	local words
	for words in '--nonce 12' '--nonce' "--nonce ${nonce/7/g}" '--all' 'x'; do
		# shellcheck disable=SC2086
		attest $words
		((status == 2)) || { echo "$words: $status" && false; }
		[[ $stderr == *usage:* ]]
	done
}

@test "cc-attest makes a new nonce when none is given" {
	attest
	first=$(jq -r .nonce <<<"$output")
	attest
	[[ $first =~ ^[0-9a-f]{64}$ && $first != "$(jq -r .nonce <<<"$output")" ]]
}

# A snpguest that gives its request as the report.
snpguest() {
	: >"$root/dev/sev-guest"
	printf '#!/bin/sh\n[ "$1" = report ] && %s || exit 1\n' "$1" >"$root/opt/cc/bin/snpguest"
	chmod 755 "$root/opt/cc/bin/snpguest"
}

@test "cc-attest gives the report of the CPU, with the nonce in it" {
	snpguest 'cp "$3" "$2"'
	attest --cpu --nonce "$nonce"
	((status == 0)) || { echo "$output" && false; }
	[[ $(jq -r .cpu.status <<<"$output") == ok ]]
	[[ $(jq -r .cpu.report <<<"$output" | base64 -d | od -An -v -tx1 | tr -d ' \n') == "$nonce$(printf '%064d' 0)" ]]
}

@test "cc-attest tells a TEE that gives no report from one that is not there" {
	snpguest '{ echo "firmware error 0x16" >&2; exit 1; }'
	attest --cpu
	((status == 1))
	[[ $(jq -r .cpu.detail <<<"$output") == *"firmware error 0x16"* ]]
	rm "$root/opt/cc/bin/snpguest"
	attest --cpu
	((status == 6))
	[[ $(jq -r .cpu.status <<<"$output") == missing ]]
}

# python TEXT: what the SDK's Python does.
python() {
	mkdir -p "$root/opt/cc/venv/bin"
	printf '#!/bin/sh\n%s\n' "$1" >"$root/opt/cc/venv/bin/python"
	chmod 755 "$root/opt/cc/venv/bin/python"
}

@test "cc-attest gives what the SDK says, and none of its chatter" {
	gpu 0000:01:00.0
	python 'echo chatter; printf "{\"status\":\"ok\",\"verified\":true,\"rim\":\"%s\",\"verify\":\"%s\"}" "$CC_RIM" "$CC_VERIFY" >&3'
	attest --gpu --verify
	((status == 0)) || { echo "$output" && false; }
	[[ $(jq -r '[.gpu.verified, .gpu.rim, .gpu.verify] | join(" ")' <<<"$output") == 'true http://r 1' ]]
}

# sdk CC_FEATURE: the real gpu-evidence.py, with modules that answer as NVIDIA's do for a machine with two GPUs.
sdk() {
	local modules=$root/modules
	mkdir -p "$modules/nv_attestation_sdk" "$modules/verifier"
	# Python takes what it compiled within the same second for up to date.
	rm -rf "$modules/__pycache__"
	cat >"$modules/pynvml.py" <<-END
		NVML_CC_SYSTEM_FEATURE_ENABLED = 1
		class NVMLError(Exception): pass
		class State: ccFeature, environment = $1, 0
		def nvmlInit(): pass
		def nvmlSystemGetConfComputeState(): return State
		def nvmlDeviceGetCount(): return 2
		def nvmlDeviceGetHandleByIndex(index): return index
		def nvmlDeviceGetName(handle): return ["NVIDIA H100 80GB HBM3", b"NVIDIA H200"][handle]
	END
	: >"$modules/nv_attestation_sdk/__init__.py"
	: >"$modules/nv_attestation_sdk/attestation.py"
	: >"$modules/verifier/__init__.py"
	printf 'import sys\ndef collect_gpu_evidence_remote(nonce, ppcie_mode):\n\tprint("a traceback", file=sys.stderr)\n\treturn ["evidence for " + nonce]\n' >"$modules/verifier/cc_admin.py"
	# -I takes no PYTHONPATH.
	python "exec $(command -v python3) -I -c 'import sys; sys.path.insert(0, sys.argv.pop(1)); exec(open(sys.argv[1]).read())' '$modules' \"\$2\""
}

@test "cc-attest asks the driver first, and says on which GPUs confidential computing is off" {
	gpu 0000:01:00.0
	sdk 0
	attest --gpu
	((status == 1))
	[[ $(jq -r .gpu.detail <<<"$output") == 'confidential computing is off on GPU 0 (NVIDIA H100 80GB HBM3), GPU 1 (NVIDIA H200)' ]] || { echo "$output" && return 1; }
	[[ -z $stderr ]]
	sdk 1
	attest --gpu --nonce "$nonce"
	((status == 0)) && [[ $(jq -r '.gpu.devices[0]' <<<"$output") == "evidence for $nonce" && -z $stderr ]] || { echo "$output $stderr" && return 1; }
	attest --gpu --verbose
	[[ $status == 0 && $stderr == 'a traceback' ]]
	# A driver that does not know the question leaves the answer to the SDK.
	sed -i 's/^def nvmlInit.*/def nvmlInit(): raise NVMLError()/' "$root/modules/pynvml.py"
	attest --gpu
	((status == 0))
}

@test "cc-attest gives what nvattest says, and the token goes by its environment" {
	sed -i s/sdk=python/sdk=nvattest/ "$root/etc/cc/attestation.conf"
	gpu 0000:01:00.0
	program nvattest 'printf "%s" "$NV_ATTESTATION_SERVICE_KEY" >"$root/got"; echo chatter >&2; echo "{\"result_code\":0}"'
	CC_ATTESTATION_TOKEN=secret attest --gpu --verify --nonce "$nonce"
	((status == 0)) || { echo "$output $stderr" && return 1; }
	[[ $(jq -c .gpu <<<"$output") == '{"status":"ok","verified":true,"nvattest":{"result_code":0}}' ]]
	[[ $(cat "$root/got") == secret && $output$stderr$(cat "$calls") != *secret* ]]
	grep -qx "nvattest attest --verifier local --rim-url http://r --ocsp-url http://o --nras-url http://n --format json --device gpu --nonce $nonce" "$calls"
	program nvattest 'exit 3'
	attest --gpu --verify
	((status == 1)) && [[ $(jq -r .gpu.detail <<<"$output") == *'exit status 3' ]]
}

@test "cc-attest fails where the SDK does, with or without its words" {
	gpu 0000:01:00.0
	python 'printf "{\"status\":\"failed\",\"detail\":\"bad\"}" >&3; exit 1'
	attest --gpu
	((status == 1))
	[[ $(jq -r .gpu.detail <<<"$output") == bad ]]
	python 'exit 139'
	attest --gpu
	((status == 1))
	[[ $(jq -r .gpu.status <<<"$output") == failed ]]
	rm -r "$root/opt/cc/venv"
	attest --gpu
	((status == 6))
}

@test "the token reaches the SDK by its environment, from a file that nobody else can read, and is never shown" {
	gpu 0000:01:00.0
	python 'printf "{\"status\":\"ok\",\"token\":%s}" "${#CC_ATTESTATION_TOKEN}" >&3; tr "\0" " " </proc/$PPID/cmdline >&2; echo "$@" >&2'
	printf 's3cret' >"$root/etc/cc/token"
	chmod 600 "$root/etc/cc/token"
	attest --gpu --verbose
	[[ $(jq .gpu.token <<<"$output") == 6 ]]
	[[ $output$stderr != *s3cret* ]]
	chmod 644 "$root/etc/cc/token"
	attest --gpu
	[[ $(jq .gpu.token <<<"$output") == 0 && $stderr == *"is not used: others can read it"* ]]
	CC_ATTESTATION_TOKEN=other attest --gpu
	[[ $(jq .gpu.token <<<"$output") == 5 ]]
}

@test "a hostile message cannot break the JSON" {
	snpguest '{ printf "a\"},\"cpu\":{\"status\":\"ok\n\\\\\"b" >&2; exit 1; }'
	attest --cpu
	((status == 1))
	[[ $(jq -r .cpu.status <<<"$output") == failed ]]
}
