# shellcheck shell=bash disable=SC2034 # variables for the scripts that source this file
# The virtual machine of an image: what both scripts are told of it, and what is allowed.

# Parameters of the machine, with their defaults; empty: that of the manifest.
vcpus='' cpu='' memory='' network=user firmware='' qemu=qemu-system-x86_64 host_data=''
input='' output='' log='' mmio64=262144
gpus=() forwards=()

# machine_option NAME VALUE: take a parameter of the machine; fails for one that is none.
machine_option() {
	case $1 in
	--vcpus) vcpus=$2 ;;
	--cpu) cpu=$2 ;;
	--memory) memory=$2 ;;
	--network) network=$2 ;;
	--forward) forwards+=("$2") ;;
	--ovmf) firmware=$(absolute "$2") ;;
	--qemu) qemu=$2 ;;
	--host-data) host_data=$2 ;;
	--input) input=$(absolute "$2") ;;
	--output) output=$(absolute "$2") ;;
	--log) log=$(absolute "$2") ;;
	--gpu) gpus+=("$2") ;;
	--mmio64) mmio64=$2 ;;
	*) return 1 ;;
	esac
}

# machine_check: fill in what the manifest says, and refuse what cannot be.
machine_check() {
	local list word
	list_of launch/vcpus
	vcpus=${vcpus:-${list[0]}}
	[[ $vcpus =~ ^[1-9][0-9]{0,2}$ ]] || fail 2 "--vcpus: not a number of processors: '$vcpus'"
	list_of launch/cpuTypes
	cpu=${cpu:-${list[0]}}
	[[ $cpu =~ ^[A-Za-z0-9.-]+$ ]] || fail 2 "--cpu: not a processor type: '$cpu'"
	case $memory in
	'') ;;
	*[!0-9GM]* | *[GM]?* | [GM]) fail 2 "--memory: expected a size like 8G or 8192M: '$memory'" ;;
	*G) memory_mib=$((10#${memory%G} * 1024)) ;;
	*M) memory_mib=$((10#${memory%M})) ;;
	*) fail 2 "--memory: expected a size like 8G or 8192M: '$memory'" ;;
	esac
	((memory_mib >= 256)) || fail 2 "--memory: $memory_mib MiB is less than 256 MiB"
	[[ $network =~ ^(user|none|bridge=[A-Za-z0-9_.-]{1,15})$ ]] || fail 2 "--network: expected user, none or bridge=NAME: '$network'"
	for word in "${forwards[@]}"; do
		[[ $word =~ ^[0-9]{1,5}(:[0-9]{1,5})?$ ]] || fail 2 "--forward: expected PORT or HOST_PORT:PORT: '$word'"
		[[ $network == user ]] || fail 2 "--forward is only for --network user"
	done
	for word in "${gpus[@]}"; do
		[[ $word =~ ^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$ ]] || fail 2 "--gpu: expected a PCI address like 0000:41:00.0: '$word'"
	done
	[[ $mmio64 =~ ^[0-9]+$ ]] || fail 2 "--mmio64: not a number of MiB: '$mmio64'"
	[[ -z $host_data || $host_data =~ ^[A-Za-z0-9+/]{43}=$ ]] || fail 2 "--host-data: expected 32 bytes in base64: '$host_data'"
	choose_host_data
	for word in "$input" "$output" "$log"; do
		[[ -z $word || -e $word ]] || fail 2 "there is no data disk '$word'"
	done
	[[ -z $log ]] || word=$(format_of "$log") || exit
	[[ -z $log || $word == raw ]] || fail 2 "--log: text is read from a raw disk only: '$log'" "name it .raw or .img"
}

# choose_host_data: what the manifest names first, unless another of its values was asked for: a key broker would refuse the
# machine, and nobody would see why. A manifest that names none leaves it open.
choose_host_data() {
	local word values=()
	list_of launch/hostData
	for word in "${list[@]}"; do
		[[ $word =~ ^[0-9a-f]{64}$ ]] || fail 4 "the manifest names HOST_DATA that is not 32 bytes in hexadecimal: '$word'" "take an unaltered copy of the image"
		values+=("$(printf '%b' "$(printf '%s' "$word" | sed 's/../\\x&/g')" | base64 -w 0)")
	done
	((${#values[@]} > 0)) || return 0
	host_data=${host_data:-${values[0]}}
	for word in "${values[@]}"; do [[ $word != "$host_data" ]] || return 0; done
	fail 2 "--host-data: the manifest expects ${values[*]}, got '$host_data'" \
		"leave it out, or build the image with kbs.policy.hostData"
}

# entry KEY: of the expected measurement of this machine, or nothing.
entry() {
	local index
	for ((index = 0; ; index++)); do
		[[ -n ${manifest["measurement/entries/$index/digest"]-} ]] || return 0
		[[ ${manifest["measurement/entries/$index/vcpus"]} != "$vcpus" || ${manifest["measurement/entries/$index/cpuType"]} != "$cpu" ]] || {
			printf '%s' "${manifest["measurement/entries/$index/$1"]-}"
			return 0
		}
	done
}

# choose_id_block: what the firmware is to compare this launch with, as id_block and id_auth; empty where the image has none.
# The firmware would refuse a block for another launch, and say little.
choose_id_block() {
	local digest said wanted
	id_block=$(entry idBlock) id_auth=$(entry idAuth)
	if [[ -z $id_block && -z $id_auth ]]; then
		[[ -z ${manifest["measurement/idBlock/svn"]-} ]] || fail 4 "the manifest has no ID block for $vcpus processors of the type $cpu" "take an unaltered copy of the image"
		return 0
	fi
	[[ $id_block =~ ^[A-Za-z0-9+/]{128}$ && $id_auth =~ ^[A-Za-z0-9+/]{5462}==$ ]] ||
		fail 4 "the manifest has a malformed ID block: '${id_block:0:40}'" "take an unaltered copy of the image"
	digest=$(entry digest)
	said=$(printf '%s' "$id_block" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	# Digest at 0, policy at 88, the last byte first (SEV-SNP firmware ABI, ID_BLOCK).
	[[ ${said:0:96} == "$digest" ]] || fail 4 "the ID block of the manifest is for another launch: its digest is ${said:0:96}, expected $digest" \
		"take an unaltered copy of the image"
	wanted=$(printf '%016x' "$policy" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\8\7\6\5\4\3\2\1/')
	[[ ${said:176:16} == "$wanted" ]] || fail 4 "the ID block of the manifest is for another guest policy: its bytes are ${said:176:16}, expected $wanted" \
		"take an unaltered copy of the image"
}

# format_of FILE: of a data disk, by its name. Not by its content: what a guest writes must not choose how it is read.
format_of() {
	case $1 in
	*.qcow2) printf qcow2 ;;
	/dev/* | *.raw | *.img) printf raw ;;
	*) fail 2 "data disk '$1': its name says no format" "name it .raw, .img or .qcow2, or take a block device" ;;
	esac
}

# Where distributions put firmware of the kind AmdSev.
firmware_places=(/usr/share/ovmf/OVMF.amdsev.fd /usr/share/edk2/ovmf/OVMF.amdsev.fd /usr/share/OVMF/OVMF.amdsev.fd)

# find_firmware: take the first that is there, unless one was named.
find_firmware() {
	local place
	[[ -z $firmware ]] || return 0
	for place in "${firmware_places[@]}"; do
		[[ -f $place ]] || continue
		firmware=$place
		return 0
	done
}
