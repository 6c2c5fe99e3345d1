#!/usr/bin/env bats
# install_cc_image.sh and launch_cc_image.sh on small images made here. Hosts with SEV-SNP are a mount namespace in which
# /proc, /sys and /dev say so; QEMU is a program that says what it was told.

# shellcheck disable=SC2016,SC2030,SC2031 # quoted programs are for another shell; each test is a subshell
load ../test/lib.bash

setup() {
	setup_user
	image="$dir/an image, with 'quotes'"
	as_user mkdir -p "$image/keys" "$dir/bin"
	for name in install launch; do
		as_user bash "$BATS_TEST_DIRNAME/../boot/make-host-script.sh" --script "$BATS_TEST_DIRNAME/${name}_cc_image.sh" \
			--output "$image/${name}_cc_image.sh"
	done
	as_user bash -c 'cd "$1" && echo kernel >vmlinuz && echo initrd >initrd.img && echo "console=ttyS0 panic=1" >cmdline &&
		head -c 32 /dev/urandom >keys/root.key && head -c 1M /dev/urandom >raw && truncate -s 4M raw &&
		qemu-img convert -f raw -O qcow2 raw cc_image.qcow2 && head -c 1M raw >content' - "$image"
	describe development
	firmware_file="$dir/OVMF, amdsev.fd"
	as_user bash -c 'printf "\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc" >"$1"' - "$firmware_file"
}

# describe PROFILE [JQ]: write the manifest of the image as it is.
describe() {
	local key=development file artefacts='{}'
	[[ $1 == development ]] || key=kbs
	for file in vmlinuz initrd.img cmdline install_cc_image.sh launch_cc_image.sh; do
		artefacts=$(jq --arg name "$file" --arg sha "$(sha256sum <"$image/$file" | cut -c -64)" '.[$name] = {sha256: $sha, bytes: 1}' <<<"$artefacts")
	done
	jq -n --arg profile "$1" --arg key "$key" --argjson artefacts "$artefacts" --arg content "$(sha256sum <"$image/content" | cut -c -64)" '{
		version: 1, name: "cc_image", stage: "base", profile: $profile, cmdline: "console=ttyS0 panic=1",
		launch: {platform: "sev-snp", vcpus: [2, 4], cpuTypes: ["EPYC-v4"], memoryMiB: 512, policy: "0x30000", guestFeatures: "0x1", firmwareSha256: null},
		measurement: null,
		partitions: [{name: "cc-root", start: 0, size: 2097152, key: $key, content: {sha256: $content, bytes: 1048576}}],
		packages: [{name: "a\"b", version: "\u00e4\\"}], artefacts: $artefacts}'"${2:+ | $2}" | as_user tee "$image/manifest.json" >/dev/null
}

install() { run as_user "$image/install_cc_image.sh" "$@"; }
launch() { run as_user "$image/launch_cc_image.sh" "$@"; }

# ended STATUS TEXT...: how a script ended, and what it said.
ended() {
	local text
	for text in "${@:2}"; do [[ $output == *"$text"* ]] || break; done
	((status == $1)) && [[ $output == *"$text"* ]] && return
	printf 'expected status %s and %s, got %s:\n%s\n' "$1" "$text" "$status" "$output" >&2
	return 1
}

# on_snp_host COMMAND...: where everything that SEV-SNP needs is there. $lacks names what is taken away.
on_snp_host() {
	as_user tee "$dir/bin/qemu-system-x86_64" >/dev/null <<-'END'
		#!/bin/sh
		case "$*" in
		--version) echo 'QEMU emulator version 10.0.0' ;;
		'-object help') echo '  sev-snp-guest' ;;
		*) printf '%s\n' "$@" ;;
		esac
	END
	as_user chmod +x "$dir/bin/qemu-system-x86_64"
	run in_namespace bash -c '
		set -e
		folder=$1 lacks=$2 && shift 2
		flags="flags : sev sev_es sev_snp"
		[[ $lacks != processor ]] || flags="flags : sse"
		echo "$flags" >"$folder/cpuinfo"
		mount --bind "$folder/cpuinfo" /proc/cpuinfo
		mount -t tmpfs none /sys/module
		mkdir -p /sys/module/kvm_amd/parameters
		[[ $lacks == kernel ]] && echo N >/sys/module/kvm_amd/parameters/sev_snp || echo Y >/sys/module/kvm_amd/parameters/sev_snp
		mount -t tmpfs none /sys/kernel
		mkdir -p /sys/kernel/iommu_groups
		[[ $lacks == IOMMU ]] || mkdir /sys/kernel/iommu_groups/0
		mkdir -p "$folder/dev"
		mount --rbind /dev "$folder/dev"
		mount -t tmpfs -o mode=755 none /dev
		for name in null zero urandom sev kvm vfio/vfio; do
			[[ $lacks != "/dev/$name" ]] || continue
			mkdir -p "/dev/${name%/*}" && [[ $name == */* ]] || rmdir "/dev/$name"
			[[ $name != vfio/vfio ]] || mkdir -p /dev/vfio
			touch "/dev/$name"
			case $name in sev | kvm | vfio/vfio) mount --bind "$folder/dev/null" "/dev/$name" ;; *) mount --bind "$folder/dev/$name" "/dev/$name" ;; esac
		done
		ln -s /proc/self/fd /dev/fd
		mount -t tmpfs none /sys/bus
		mkdir -p /sys/bus/pci/devices/0000:41:00.0 /sys/bus/pci/drivers/vfio-pci
		ln -s /sys/bus/pci/drivers/vfio-pci /sys/bus/pci/devices/0000:41:00.0/driver
		PATH=$folder/bin:$PATH
		"$@"' - "$dir" "${lacks-}" "$@"
}

@test "the manifest is read as jq reads it" {
	. "$BATS_TEST_DIRNAME/lib/common.sh"
	trap - ERR
	json "$image/manifest.json" | sort >"$BATS_TEST_TMPDIR/ours"
	jq -r 'paths(scalars) as $p | "\($p | map(tostring) | join("/"))\t\(getpath($p))"' "$image/manifest.json" | sort >"$BATS_TEST_TMPDIR/jq"
	# null is no scalar to jq.
	diff <(grep -v $'\tnull$' "$BATS_TEST_TMPDIR/ours") "$BATS_TEST_TMPDIR/jq"
	grep -qx $'measurement\tnull' "$BATS_TEST_TMPDIR/ours"
	jq -c . "$image/manifest.json" >"$BATS_TEST_TMPDIR/compact"
	diff "$BATS_TEST_TMPDIR/ours" <(json "$BATS_TEST_TMPDIR/compact" | sort)
}

@test "what is not one JSON value, or has a key twice, is refused" {
	. "$BATS_TEST_DIRNAME/lib/common.sh"
	trap - ERR
	local text
	for text in '' '{' '{"a":1,}' '[1 2]' '{"a":1} {' '{"a":"x' '{"a":1,"a":2}' '{"a":{"b":1},"a":{"c":1}}' '{a:1}' "{\"a\":\"x	y\"}" 'nul' '{"a":01}'; do
		run json <(printf '%s' "$text")
		((status != 0)) || { echo "accepted: $text" && return 1; }
	done
}

@test "a development image is refused, and installed when it is asked for" {
	install --to "$dir/to/image"
	ended 2 "is a development image" "nothing was installed"
	[[ ! -e $dir/to ]]
	install --to "$dir/to/image" --allow-development
	ended 0 "cannot run it confidentially" "installed in $dir/to/image"
	cmp "$image/cc_image.qcow2" "$dir/to/image/cc_image.qcow2"
	equal "$(stat -c %a "$dir/to/image/keys" "$dir/to/image/keys/root.key" "$dir/to/image/launch_cc_image.sh")" $'700\n600\n755'
	[[ ! -e $dir/to/image/raw ]]
	# The image that was there is kept.
	as_user touch "$dir/to/image/first"
	install --to "$dir/to/image" --allow-development
	[[ -e $dir/to/image.previous/first && ! -e $dir/to/image/first ]]
	equal "$(ls -A "$dir/to")" $'image\nimage.previous'
	run as_user "$dir/to/image/launch_cc_image.sh" --print --no-tee
	ended 0 "$dir/to/image/vmlinuz"
}

@test "whatever was altered is named, and nothing is installed" {
	local file
	for file in vmlinuz initrd.img cmdline launch_cc_image.sh; do
		as_user cp -p "$image/$file" "$dir/saved"
		as_user tee -a "$image/$file" <<<"# x" >/dev/null
		install --to "$dir/to" --allow-development
		ended 4 "altered $file: it has another sha256"
		as_user cp -p "$dir/saved" "$image/$file"
	done
	as_user rm "$image/initrd.img"
	install --check
	ended 4 "altered initrd.img: it is missing"
	as_user cp "$image/vmlinuz" "$image/initrd.img"
	install --check
	ended 4 "altered initrd.img"
	as_user bash -c 'echo initrd >"$1/initrd.img" && printf x | dd of="$1/raw" bs=1 seek=70000 conv=notrunc status=none && qemu-img convert -f raw -O qcow2 "$1/raw" "$1/cc_image.qcow2"' - "$image"
	install --to "$dir/to" --allow-development
	ended 4 "altered cc-root in cc_image.qcow2: it has another sha256"
	[[ ! -e $dir/to ]]
	describe development 'del(.artefacts["launch_cc_image.sh"])'
	install --check
	ended 4 "the manifest does not name it"
	describe development '.artefacts["../../etc/passwd"] = {sha256: "0", bytes: 1}'
	install --check
	ended 4 "a file that cannot be one of the image"
}

# lean: the disk leans on ../../shared/root.raw, as that of one site of several does.
lean() {
	as_user mkdir -p "$dir/out/site" "$dir/out/shared"
	as_user mv "$image" "$dir/out/site/"
	image="$dir/out/site/${image##*/}"
	as_user bash -c 'cd "$1" && mv raw ../../shared/root.raw && rm cc_image.qcow2 &&
		qemu-img create -q -f qcow2 -F raw -b ../../shared/root.raw cc_image.qcow2' - "$image"
	describe development ".shared = {name: \"root.raw\", bytes: 4194304, sha256: \"$(sha256sum <"$dir/out/shared/root.raw" | cut -c -64)\"}"
}

# in_root OFFSET: another byte in the shared root.
in_root() { as_user bash -c 'printf x | dd of="$1/out/shared/root.raw" bs=1 seek="$2" conv=notrunc status=none' - "$dir" "$1"; }

@test "an image that shares its root is compared through it, and installed as one file" {
	lean
	install --allow-development --to "$dir/to"
	ended 0 'all files and partitions are as in the manifest' "installed in $dir/to"
	[[ $(qemu-img info "$dir/to/cc_image.qcow2") != *backing* ]]
	rm -r "$dir/out/shared"
	run as_user "$dir/to/install_cc_image.sh" --check --to "$dir/other"
	[[ $output == *'all files and partitions are as in the manifest'* ]]
}

@test "a shared root that is altered in its content or behind it is named" {
	lean
	in_root 5000
	install --allow-development --to "$dir/to"
	ended 4 'root.raw: it has another sha256 than in the manifest' 'cc-root in cc_image.qcow2: it has another sha256 than in the manifest'
	as_user cp "$image/content" "$dir/out/shared/root.raw"
	as_user truncate -s 4M "$dir/out/shared/root.raw"
	in_root 3000000
	install --allow-development --to "$dir/to"
	ended 4 'root.raw: it has another sha256 than in the manifest' "1 of the parts of $image are not as they were built"
	[[ ! -e $dir/to ]]
}

@test "a shared root that is missing, or another one, is refused, and so is a disk that cannot be asked" {
	lean
	mv "$dir/out/shared/root.raw" "$dir/out/shared/other.raw"
	install --allow-development --to "$dir/to"
	ended 4 "the root that cc_image shares with other images is missing: '$image/../../shared/root.raw'"
	launch --no-tee --print
	ended 4 "the root that cc_image shares with other images is missing: '$image/../../shared/root.raw'"
	local other
	for other in ../../shared/other.raw /etc/passwd 'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}'; do
		as_user qemu-img rebase -u -f qcow2 -F raw -b "$other" "$image/cc_image.qcow2"
		launch --no-tee --print
		ended 4 "cc_image.qcow2 leans on '" "and its manifest names 'root.raw'"
	done
	describe development
	launch --no-tee --print
	ended 4 "and its manifest names 'nothing'"
	as_user bash -c 'echo noise >"$1/cc_image.qcow2"' - "$image"
	launch --no-tee --print
	ended 4 "$image/cc_image.qcow2 cannot be read"
	[[ ! -e $dir/to ]]
}

@test "without qemu-img an image that shares its root is not installed" {
	lean
	as_user mkdir "$dir/path"
	local program
	for program in $(compgen -c | sort -u | grep -v '^qemu-img$'); do
		program=$(type -P "$program") || continue
		as_user ln -sf "$program" "$dir/path/"
	done
	run as_user env PATH="$dir/path" bash -c 'sed "s,^export LC_ALL=C PATH=.*,export LC_ALL=C," "$1" >"$1.here" && shift && bash "$@"' - \
		"$image/install_cc_image.sh" "$image/install_cc_image.sh.here" --image "$image" --allow-development --to "$dir/to"
	ended 3 'cc_image shares its root with other images, and there is no qemu-img' 'qemu-utils'
	[[ ! -e $dir/to ]]
}

@test "a production image: without SEV-SNP neither installed nor launched, whatever is asked for" {
	describe production
	install --to "$dir/to"
	ended 3 "missing processor" "missing /dev/sev" "nothing was installed"
	install --to "$dir/to" --allow-development
	ended 3 "nothing was installed"
	[[ ! -e $dir/to ]]
	launch --no-tee
	ended 2 "never started without trusted execution environment"
	launch --no-tee --print
	ended 2 "never started without trusted execution environment"
	launch --print --ovmf "$firmware_file"
	ended 0 "confidential-guest-support=tee0" "sev-snp-guest," "kernel-hashes=on" "-accel kvm"
	[[ $output != *fw_cfg* && $output != *tcg* ]]
	launch --print --ovmf "$firmware_file" --accel tcg
	ended 2 "--accel is only for --no-tee"
	launch --print --ovmf "$firmware_file" --root-key "$image/keys/root.key"
	ended 2 "only for images whose root key comes from the host"
	as_user bash -c 'echo plain >"$1"' - "$dir/plain.fd"
	launch --print --ovmf "$dir/plain.fd"
	ended 3 "not of the kind AmdSev"
}

@test "on a host with everything a production image is installed, without its keys" {
	describe production '.launch.firmwareSha256 = "'"$(sha256sum <"$firmware_file" | cut -c -64)"'" | .measurement = {entries: [{vcpus: 2, cpuType: "EPYC-v4", digest: "'"$(printf '%096d' 1)"'"}]}'
	as_user bash -c 'echo "print(\"CC mode is on\")" >"$1/tools.py"' - "$dir"
	on_snp_host "$image/install_cc_image.sh" --to "$dir/to" --ovmf "$firmware_file" --gpu 0000:41:00.0 --gpu-admin-tools "$dir/tools.py" \
		--systemd "$dir/unit.service" --libvirt "$dir/domain.xml" --output /dev/null --network bridge=br0
	ended 0 "ok      processor" "ok      kernel" "ok      /dev/sev" "ok      IOMMU" "ok      QEMU: QEMU emulator version 10.0.0" \
		"ok      firmware" "ok      measurement: 0000" "ok      GPU 0000:41:00.0 mode: confidential computing is on" "installed in $dir/to"
	[[ $output != *missing* && ! -e $dir/to/keys ]]
	python3 - "$dir" "$firmware_file" <<-'END'
		import shlex, sys, xml.dom.minidom
		folder, firmware = sys.argv[1:]
		domain = xml.dom.minidom.parse(folder + "/domain.xml")
		text = lambda name: domain.getElementsByTagName(name)[0].firstChild.data
		assert text("loader") == firmware, text("loader")
		assert text("kernel") == folder + "/to/vmlinuz"
		assert text("cmdline") == "console=ttyS0 panic=1"
		security = domain.getElementsByTagName("launchSecurity")[0]
		assert (security.getAttribute("type"), security.getAttribute("kernelHashes")) == ("sev-snp", "yes")
		assert "qemu:arg" not in open(folder + "/domain.xml").read().replace("X-PciMmio64Mb", "") or "cc/keys" not in open(folder + "/domain.xml").read()
		start = [line for line in open(folder + "/unit.service") if line.startswith("ExecStart=")][0]
		words = shlex.split(start[len("ExecStart="):])
		assert words[0] == folder + "/to/launch_cc_image.sh" and words[words.index("--ovmf") + 1] == firmware, words
	END
}

@test "each thing that such a host lacks is named, with what to do" {
	describe production
	local -A says=(['processor']='no SEV-SNP' ['kernel']='SEV-SNP disabled: N' ['/dev/sev']='modprobe ccp' ['IOMMU']='the IOMMU is off')
	for lacks in "${!says[@]}"; do
		on_snp_host "$image/install_cc_image.sh" --to "$dir/to" --ovmf "$firmware_file"
		ended 3 "missing $lacks" "${says[$lacks]}" "fix:" "lacks 1 of"
	done
	lacks=''
	on_snp_host "$image/install_cc_image.sh" --check
	ended 3 "missing firmware" "lacks 1 of"
	on_snp_host "$image/install_cc_image.sh" --check --ovmf "$firmware_file" --memory 9000G
	ended 3 "missing memory" "lacks 1 of"
	as_user bash -c 'echo "print(\"CC mode is devtools\")" >"$1/tools.py"' - "$dir"
	on_snp_host "$image/install_cc_image.sh" --check --ovmf "$firmware_file" --gpu 0000:41:00.0 --gpu-admin-tools "$dir/tools.py"
	ended 3 "confidential computing is devtools" "--set-cc-mode=on --reset-after-cc-mode-switch" "lacks 1 of"
	on_snp_host "$image/install_cc_image.sh" --check --ovmf "$firmware_file" --gpu 0000:42:00.0
	ended 3 "there is no such device"
	describe production '.measurement = {entries: [{vcpus: 2, cpuType: "EPYC-v4", digest: "x"}]}'
	on_snp_host "$image/install_cc_image.sh" --check --ovmf "$firmware_file" --vcpus 4
	ended 3 "missing measurement: there is none for 4 processors"
	describe production '.launch.firmwareSha256 = "'"$(printf '%064d' 1)"'"'
	on_snp_host "$image/install_cc_image.sh" --check --ovmf "$firmware_file"
	ended 3 "the expected measurement was made with 0000"
}

@test "the machine: words are whole, whatever is in a path; QEMU gets them as they are printed" {
	describe production
	as_user bash -c 'touch "$1/in, put.img" "$1/out.qcow2" "$1/log.raw"' - "$dir"
	local host_data
	host_data=$(head -c 32 /dev/zero | base64)
	local words=(--ovmf "$firmware_file" --vcpus 4 --memory 16G --input "$dir/in, put.img" --output "$dir/out.qcow2" --log "$dir/log.raw" --gpu 0000:41:00.0
		--gpu 0000:42:00.0 --forward 8002 --forward 80:8003 --host-data "$host_data" --snapshot --serial-log "$dir/serial, log")
	on_snp_host "$image/launch_cc_image.sh" "${words[@]}"
	((status == 0)) || { echo "$output" && return 1; }
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/run"
	launch --print "${words[@]}"
	diff "$BATS_TEST_TMPDIR/run" <(eval "printf '%s\n' ${output#* }")
	local word comma="${image//,/,,}" folder="${dir//,/,,}"
	for word in q35,confidential-guest-support=tee0,memory-backend=ram0,vmport=off memory-backend-memfd,id=ram0,size=16384M,share=on \
		"sev-snp-guest,id=tee0,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on,host-data=$host_data" "$firmware_file" \
		"$image/vmlinuz" "console=ttyS0 panic=1" "if=none,id=disk0,format=qcow2,snapshot=on,file=$comma/cc_image.qcow2" \
		virtio-blk-pci,drive=disk0,serial=cc-disk,disable-legacy=on,iommu_platform=on \
		"if=none,id=disk1,format=raw,snapshot=off,readonly=on,file=$folder/in,, put.img" virtio-blk-pci,drive=disk1,serial=nvflare-input,disable-legacy=on,iommu_platform=on \
		"if=none,id=disk2,format=qcow2,snapshot=off,file=$folder/out.qcow2" virtio-blk-pci,drive=disk2,serial=nvflare-output,disable-legacy=on,iommu_platform=on \
		"if=none,id=disk3,format=raw,snapshot=off,file=$folder/log.raw" virtio-blk-pci,drive=disk3,serial=nvflare-log,disable-legacy=on,iommu_platform=on \
		user,id=net0,hostfwd=tcp::8002-:8002,hostfwd=tcp::80-:8003 vfio-pci,host=0000:42:00.0,bus=gpu-port1,romfile= \
		name=opt/ovmf/X-PciMmio64Mb,string=262144 "file,id=console,path=$folder/serial,, log"; do
		grep -Fqx -- "$word" "$BATS_TEST_TMPDIR/run" || { echo "missing: $word" && cat "$BATS_TEST_TMPDIR/run" && return 1; }
	done
}

@test "HOST_DATA is that of the manifest, and no other" {
	local one other
	one=$(printf 'ab%.0s' {1..32}) other=$(printf '00%.0s' {1..32})
	describe production ".launch.hostData = [\"$one\", \"$other\"]"
	launch --print --ovmf "$firmware_file"
	ended 0 "host-data=$(for ((i = 0; i < 32; i++)); do printf '\xab'; done | base64)"
	launch --print --ovmf "$firmware_file" --host-data "$(head -c 32 /dev/zero | base64)"
	ended 0 "host-data=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	launch --print --ovmf "$firmware_file" --host-data "$(head -c 31 /dev/zero | cat - <(printf x) | base64)"
	ended 2 "--host-data: the manifest expects q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s= AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, got"
	describe production '.launch.hostData = ["ab"]'
	launch --print --ovmf "$firmware_file"
	ended 4 "not 32 bytes in hexadecimal: 'ab'"
	describe production '.launch.hostData = []'
	launch --print --ovmf "$firmware_file"
	((status == 0)) && [[ $output != *host-data* ]]
}

@test "the ID block of the machine goes to QEMU and libvirt; one for another launch is refused" {
	local digest other auth
	digest=$(printf 'ab%.0s' {1..48}) other=$(printf 'cd%.0s' {1..48})
	auth=$(head -c 4096 /dev/zero | base64 -w 0)
	# block DIGEST POLICY_BYTES: ids, version 1 and SVN 7 between them.
	block() { printf '%b' "$(printf '%s%064d0100000007000000%s' "$1" 0 "$2" | sed 's/../\\x&/g')" | base64 -w 0; }
	# blocks BLOCK AUTH: an image with an expected measurement for two numbers of processors.
	blocks() {
		describe production '.launch.firmwareSha256 = "'"$(sha256sum <"$firmware_file" | cut -c -64)"'" | .measurement = {idBlock: {svn: 7}, entries: [
			{vcpus: 4, cpuType: "EPYC-v4", digest: "'"$other"'", idBlock: "'"$(block "$other" 0000030000000000)"'", idAuth: "'"$auth"'"},
			{vcpus: 2, cpuType: "EPYC-v4", digest: "'"$digest"'", idBlock: "'"$1"'", idAuth: "'"$2"'"}]}'
	}
	blocks "$(block "$digest" 0000030000000000)" "$auth"
	launch --print --ovmf "$firmware_file"
	ended 0 ",id-block=$(block "$digest" 0000030000000000),id-auth=$auth,author-key-enabled=on"
	launch --print --ovmf "$firmware_file" --vcpus 4
	ended 0 ",id-block=$(block "$other" 0000030000000000),"
	on_snp_host "$image/install_cc_image.sh" --to "$dir/to" --ovmf "$firmware_file" --libvirt "$dir/domain.xml"
	((status == 0)) || { echo "$output" && return 1; }
	python3 - "$dir/domain.xml" "$(block "$digest" 0000030000000000)" "$auth" <<-'END'
		import sys, xml.dom.minidom
		security = xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("launchSecurity")[0]
		found = [security.getElementsByTagName(name)[0].firstChild.data for name in ("idBlock", "idAuth")]
		assert found == sys.argv[2:] and security.getAttribute("authorKey") == "yes", found
	END
	blocks "$(block "$other" 0000030000000000)" "$auth"
	launch --print --ovmf "$firmware_file"
	ended 4 "is for another launch: its digest is $other, expected $digest"
	blocks "$(block "$digest" 00000b0000000000)" "$auth"
	launch --print --ovmf "$firmware_file"
	ended 4 "is for another guest policy: its bytes are 00000b0000000000, expected 0000030000000000"
	blocks "$(block "$digest" 0000030000000000)" AAAA
	launch --print --ovmf "$firmware_file"
	ended 4 "has a malformed ID block"
	describe production '.measurement = {idBlock: {svn: 7}, entries: [{vcpus: 2, cpuType: "EPYC-v4", digest: "'"$digest"'"}]}'
	launch --print --ovmf "$firmware_file"
	ended 4 "has no ID block for 2 processors of the type EPYC-v4"
}

# sign: manifest and provenance of the image, as boot/sign-file signs them, by the key in $dir/key.
sign() {
	local file
	as_user bash -c 'printf "{\"subject\": [{\"name\": \"manifest.json\", \"digest\": {\"sha256\": \"%s\"}}]}\n" "$1" >"$2/provenance.json"' - "$(sha256sum <"$image/manifest.json" | cut -c -64)" "$image"
	for file in manifest.json provenance.json; do
		as_user rm -f "$image/$file.sig"
		as_user bash "$BATS_TEST_DIRNAME/../boot/sign-file.sh" --tool "${1-openssl}" --key "$dir/key" --file "$image/$file" --output "$image/$file.sig"
	done
}

@test "an image is installed with a required signature only if everything is as its builder has signed it" {
	local file
	describe development
	as_user bash -c 'umask 077; cd "$1" && openssl ecparam -name prime256v1 -genkey -noout -out key && openssl pkey -in key -pubout -out public &&
		openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out other && echo nothing >text' - "$dir"
	install --check --require-signature "$dir/public"
	ended 4 "manifest.json is not signed"
	sign
	as_user mv "$image/provenance.json" "$dir/away"
	install --check --require-signature "$dir/public"
	ended 4 "provenance.json is missing"
	sign
	as_user rm "$image/provenance.json.sig"
	install --check --require-signature "$dir/public"
	ended 4 "provenance.json is not signed"
	sign
	install --to "$dir/to" --allow-development --require-signature "$dir/public"
	ended 0 "ok      signature: manifest and provenance are signed by the key in $dir/public" "installed in $dir/to"
	# What was installed can be checked again.
	for file in manifest.json.sig provenance.json provenance.json.sig; do cmp "$image/$file" "$dir/to/$file"; done
	install --check --require-signature "$dir/other"
	ended 4 "manifest.json is not signed by the key in $dir/other"
	install --check --require-signature "$dir/text"
	ended 2 "'$dir/text' is no public key"
	install --check --require-signature "$dir/nowhere"
	ended 2 "there is no file '$dir/nowhere'"
	# Altered after it was signed: the manifest, the provenance, a file, the disk.
	describe development '.tool = "mine"'
	install --check --require-signature "$dir/public"
	ended 4 "manifest.json is not signed by the key"
	describe development
	sign
	as_user sed -i 's/$/ /' "$image/provenance.json"
	install --check --require-signature "$dir/public"
	ended 4 "provenance.json is not signed by the key"
	# That of another image, signed by the same builder.
	sign
	as_user cp "$image/provenance.json" "$dir/old.json"
	as_user cp "$image/provenance.json.sig" "$dir/old.sig"
	describe development '.tool = "newer"'
	sign
	as_user cp "$dir/old.json" "$image/provenance.json"
	as_user cp "$dir/old.sig" "$image/provenance.json.sig"
	install --check --require-signature "$dir/public"
	ended 4 "provenance.json belongs to another image"
	describe development
	sign
	as_user bash -c 'echo x >>"$1/vmlinuz"' - "$image"
	install --check --require-signature "$dir/public"
	ended 4 "altered vmlinuz"
}

@test "the manifest whose signature is verified is the one that is used, whatever is changed meanwhile" {
	describe development
	as_user bash -c 'umask 077; cd "$1" && openssl ecparam -name prime256v1 -genkey -noout -out key && openssl pkey -in key -pubout -out public' - "$dir"
	sign
	as_user cp "$image/manifest.json" "$dir/signed.json"
	# Somebody else's manifest is there when it is read, and the signed one when its signature is looked at.
	describe development '.tool = "mine"'
	printf '#!/bin/sh\ncp "%s/signed.json" "%s/manifest.json"\nexec /usr/bin/openssl "$@"\n' "$dir" "$image" | as_user tee "$dir/bin/openssl" >/dev/null
	as_user chmod +x "$dir/bin/openssl"
	run as_user env PATH="$dir/bin:$PATH" "$image/install_cc_image.sh" --to "$dir/to" --allow-development --require-signature "$dir/public"
	ended 4 "manifest.json is not signed by the key in $dir/public"
	# The other way round: the signed one is what is installed.
	as_user cp "$dir/signed.json" "$image/manifest.json"
	sign
	printf '#!/bin/sh\n/usr/bin/openssl "$@" || exit\necho {} >"%s/manifest.json"\n' "$image" | as_user tee "$dir/bin/openssl" >/dev/null
	run as_user env PATH="$dir/bin:$PATH" "$image/install_cc_image.sh" --to "$dir/to" --allow-development --require-signature "$dir/public"
	ended 0 "installed in $dir/to"
	cmp "$dir/signed.json" "$dir/to/manifest.json"
}

@test "a disk that is changed while it is copied is not installed" {
	describe development
	printf '#!/bin/sh\n/bin/cp "$@" || exit\ncase "$*" in *cc_image.qcow2*) printf x | dd of="%s/.to.partial/cc_image.qcow2" bs=1 seek="$(($(stat -c %%s "%s/.to.partial/cc_image.qcow2") - 4096))" conv=notrunc status=none ;; esac\n' "$dir" "$dir" |
		as_user tee "$dir/bin/cp" >/dev/null
	as_user chmod +x "$dir/bin/cp"
	run as_user env PATH="$dir/bin:$PATH" "$image/install_cc_image.sh" --to "$dir/to" --allow-development
	ended 4 "cc_image.qcow2 changed while it was copied"
	[[ ! -e $dir/to && ! -e $dir/.to.partial ]]
}

@test "a signature of minisign is understood" {
	command -v minisign >/dev/null || { echo "install minisign: tools/setup.sh does" && return 1; }
	describe development
	as_user minisign -G -W -f -p "$dir/public" -s "$dir/key" >/dev/null
	sign minisign
	install --to "$dir/to" --allow-development --require-signature "$dir/public"
	ended 0 "ok      signature: manifest and provenance are signed"
	describe development '.tool = "mine"'
	install --check --require-signature "$dir/public"
	ended 4 "manifest.json is not signed by the key in $dir/public"
}

@test "a launch with a wrong option or an altered file is refused" {
	local wrong
	for wrong in '--vcpus 0' '--vcpus x' '--cpu a,b' '--memory 8' '--memory 8T' '--network bridge=a,b' '--gpu 41:00.0' '--host-data x' '--forward x' \
		'--input /nowhere.img' '--no-such x' 'word' '--accel hvf' '--vcpus'; do
		# shellcheck disable=SC2086 # two words
		launch --print --no-tee $wrong
		ended 2 error
	done
	as_user touch "$dir/data"
	launch --print --no-tee --input "$dir/data"
	ended 2 "its name says no format"
	as_user touch "$dir/log.qcow2"
	launch --print --no-tee --log "$dir/log.qcow2"
	ended 2 "text is read from a raw disk only"
	as_user tee -a "$image/vmlinuz" <<<x >/dev/null
	launch --print --no-tee
	ended 4 "vmlinuz was altered"
	launch --image "$dir"
	ended 4 "it has no manifest.json"
	as_user bash -c 'echo "console=ttyS0 panic=1 init=/bin/sh" >"$1/cmdline"' - "$image"
	launch --print --no-tee
	ended 4 "not the command line of the manifest"
}
