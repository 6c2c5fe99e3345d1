#!/usr/bin/env bash
# Have a tree load NVIDIA's driver in one order only: modules, persistence daemon, attestation, ready.
#
# Parameters:
#   --tree DIR            the tree to change
#   --on-failure NAME     power-off or stop: what follows when a GPU cannot be attested
#   --attempts NUMBER     how often the attestation is tried
#   [--reset FLAG]        reset each GPU before the driver is loaded
# Runs in: namespace
# Network: no
# Output: no module of the driver loads by itself; units, enabled; /etc/cc/gpu.conf

# shellcheck source=../lib/step.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/step.sh"
# shellcheck source=../lib/tree.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/tree.sh"
# shellcheck source=../lib/dkms.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/dkms.sh"
step "$@"

kernel=$(kernel_of "$tree")
modules=(nvidia nvidia_uvm nvidia_modeset nvidia_drm nvidia_peermem)
units=$tree/etc/systemd/system

# mask_files NAME FOLDER...: an empty file in /etc where one of the packages, or /etc itself, would act.
mask_files() {
	local place=$1 file files=() folder folders=()
	mkdir -p "$tree/etc/$place"
	for folder in "${@:2}" "$tree/etc/$place"; do
		[[ ! -d $folder ]] || folders+=("$folder")
	done
	read_list files find "${folders[@]}" -maxdepth 1 \( -type l -iname '*nvidia*' -o \( -type f -o -type l \) -exec grep -qsi nvidia {} \; \) -print
	for file in "${files[@]}"; do
		ln -sfn /dev/null "$tree/etc/$place/${file##*/}"
		log "masked /etc/$place/${file##*/}"
	done
}

# The alias of a PCI device no longer loads a module, and neither does a rule, a list or a user's program.
install -d "$tree/etc/modprobe.d"
printf '# A GPU is attested before it is used: cc-gpu-load.service loads these.\n' >"$tree/etc/modprobe.d/cc-nvidia.conf"
printf 'blacklist %s\n' "${modules[@]}" nouveau >>"$tree/etc/modprobe.d/cc-nvidia.conf"
mask_files udev/rules.d "$tree/usr/lib/udev/rules.d" "$tree/lib/udev/rules.d"
mask_files modules-load.d "$tree/usr/lib/modules-load.d" "$tree/lib/modules-load.d"
[[ ! -f $tree/etc/modules ]] || sed -i '/nvidia/d' "$tree/etc/modules"
if [[ -e $tree/usr/bin/nvidia-modprobe ]]; then
	in_tree "$tree" dpkg-statoverride --force-all --update --add root root 0755 /usr/bin/nvidia-modprobe >&2
fi

# LKCA: the driver's SPDM uses elliptic curves of the kernel, which it does not load by itself. Each in a command of its
# own: modprobe takes a second name as a parameter of the first.
words=
for name in ecdsa_generic ecdh_generic; do
	[[ -z $(find "$tree/lib/modules/$kernel" -name "$name.ko*" -print -quit) ]] || words+="/sbin/modprobe $name; "
done
rm -f "$tree/etc/modprobe.d/nvidia-lkca.conf"
if [[ -n $words ]]; then
	# shellcheck disable=SC2016 # modprobe expands it
	printf 'install nvidia %s/sbin/modprobe --ignore-install nvidia $CMDLINE_OPTS\n' "$words" >"$tree/etc/modprobe.d/nvidia-lkca.conf"
fi

# The daemon holds the one SPDM session. Its user is that of the package's own unit.
daemon=$(find "$tree/usr/lib/systemd/system" "$tree/lib/systemd/system" -name nvidia-persistenced.service -print -quit)
[[ -n $daemon ]] || die E_PACKAGE "the tree has no nvidia-persistenced" "add it: nvidia.packages"
account=$(sed -n 's/^ExecStart=.*--user[ =]\([^ ]*\).*/\1/p' "$daemon" | tail -n 1)
mkdir -p "$units/nvidia-persistenced.service.d" "$units/multi-user.target.wants"
cat >"$units/nvidia-persistenced.service.d/cc.conf" <<EOF
[Unit]
Requires=cc-gpu-load.service
After=cc-gpu-load.service
ConditionPathExists=/run/cc/gpu/loaded

[Service]
ExecStart=
ExecStart=/usr/bin/nvidia-persistenced ${account:+--user $account }--uvm-persistence-mode --verbose
EOF
ln -sfn "${daemon#"$tree"}" "$units/multi-user.target.wants/nvidia-persistenced.service"
for unit in cc-gpu-load cc-gpu-ready; do
	ln -sfn "/usr/lib/systemd/system/$unit.service" "$units/multi-user.target.wants/$unit.service"
	rm -rf "$units/$unit.service.d"
	if [[ $on_failure == power-off ]]; then
		# Also where the program itself could not say so: a time-out, a kill.
		mkdir -p "$units/$unit.service.d"
		printf '[Unit]\nFailureAction=poweroff-force\n' >"$units/$unit.service.d/failure.conf"
	fi
done

install -d "$tree/etc/cc"
printf 'reset=%s\non-failure=%s\nattempts=%s\n' "$([[ -n $reset ]] && echo yes || echo no)" "$on_failure" "$attempts" >"$tree/etc/cc/gpu.conf"
