# shellcheck shell=bash disable=SC2034 # variables for the scripts that source this file
# What upload.sh and revoke.sh share: their options, the record of a broker, and kbs-client.
#
# A broker tells nobody which policy it has: it lists its name alone. So what was sent is kept in a folder, the record, and
# a policy that is not known is not replaced without being told.

url='' ca='' admin_token='' auth_key='' client='' record='' present_policy='' replace_policy='' replace_keys=''
image=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
begin=$'\t# images: begin' end=$'\t# images: end'

# read_options WORD...
read_options() {
	while (($#)); do
		case $1 in
		--help | -h) usage && exit 0 ;;
		--replace-foreign-policy) replace_policy=1 && shift && continue ;;
		--replace-keys) replace_keys=1 && shift && continue ;;
		--*) (($# >= 2)) || fail 2 "$1 needs a value" "see --help" ;;
		*)
			[[ -z $url ]] || fail 2 "unexpected argument '$1'" "see --help"
			url=$1 && shift && continue
			;;
		esac
		case $1 in
		--ca) ca=$(absolute "$2") ;;
		--admin-token) admin_token=$(absolute "$2") ;;
		--auth-private-key) auth_key=$(absolute "$2") ;;
		--kbs-client) client=$(absolute "$2") ;;
		--record) record=$(absolute "$2") ;;
		--present-policy) present_policy=$(absolute "$2") ;;
		--image) image=$(absolute "$2") ;;
		*) fail 2 "unknown option '$1'" "see --help" ;;
		esac
		shift 2
	done
	[[ -n $url ]] || fail 2 "the URL of the key broker is missing" "see --help"
	[[ $url =~ ^https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._/-]*)?$|^https://\[[0-9A-Fa-f:]+\](:[0-9]+)?(/[A-Za-z0-9._/-]*)?$ ]] ||
		fail 2 "'$url' is not a plain https URL" "give it like https://kbs.example:8443"
	url=${url%/}
	[[ -n $ca ]] || fail 2 "--ca is missing" "name the certificate of the authority of the key broker: --ca FILE"
	grep -q -- '-----BEGIN CERTIFICATE-----' "$ca" 2>/dev/null || fail 2 "--ca: '$ca' is not a certificate in PEM form"
	[[ -n $admin_token || -n $auth_key ]] ||
		fail 2 "--admin-token is missing" "name the file with the token: --admin-token FILE; before Trustee v0.21: --auth-private-key FILE"
	[[ -z $admin_token || -z $auth_key ]] || fail 2 "--admin-token and --auth-private-key: only one of them is for this broker"
	must_be_private "${admin_token:-$auth_key}"
	[[ -n $client ]] || client=$(command -v kbs-client) ||
		fail 3 "kbs-client is not on this host" "install it, or name it: --kbs-client FILE"
	[[ -x $client ]] || fail 3 "--kbs-client: '$client' is not a program"
	[[ -n $record ]] || record=${XDG_STATE_HOME:-$HOME/.local/state}/cc-images/trustee/$(tr -c 'A-Za-z0-9.\n-' _ <<<"${url#https://}")
}

# must_be_private FILE
must_be_private() {
	local mode
	[[ -f $1 && -r $1 && -s $1 ]] || fail 2 "'$1' is not a file that can be read"
	mode=$(stat -L -c %a -- "$1")
	(((8#$mode & 8#077) == 0)) || fail 2 "'$1' has the mode $mode: others may read it" "chmod 600 $(quote "$1")"
}

# read_resources: the arrays ids, paths, files, and made of the image.
read_resources() {
	local leaves path value i j
	declare -gA resources=()
	ids=() paths=() files=() made=()
	[[ -f $image/trustee/resources.json && -f $image/trustee/resource-policy.rego ]] ||
		fail 4 "'$image' has no folder trustee" "name an image directory whose keys come from a key broker: --image DIR"
	leaves=$(json "$image/trustee/resources.json" 2>&1) || fail 4 "$image/trustee/resources.json is not JSON: $leaves"
	while IFS=$'\t' read -r path value; do resources[$path]=$value; done <<<"$leaves"
	[[ ${resources[version]-} == 1 ]] || fail 4 "$image/trustee/resources.json is of another version: '${resources[version]-}'"
	[[ $(sha256 "$image/trustee/resource-policy.rego") == "${resources[policySha256]-}" ]] ||
		fail 4 "$image/trustee/resource-policy.rego is not as it was made" "take an unaltered copy of the image directory"
	for ((i = 0; ; i++)); do
		[[ -n ${resources["images/$i/id"]-} ]] || break
		[[ ${resources["images/$i/id"]} != *[$'"\\\t']* ]] || fail 4 "$image/trustee/resources.json has an id that cannot be one"
		ids+=("${resources["images/$i/id"]}")
		[[ -z ${resources["images/$i/manifestSha256"]-} ]] || check_unchanged "${resources["images/$i/folder"]}" "${resources["images/$i/manifestSha256"]}"
		for ((j = 0; ; j++)); do
			path=images/$i/resources/$j
			[[ -n ${resources["$path/path"]-} ]] || break
			[[ ${resources["$path/path"]} =~ ^([A-Za-z0-9_-][A-Za-z0-9_.-]*/){2}[A-Za-z0-9_-][A-Za-z0-9_.-]*$ ]] ||
				fail 4 "$image/trustee/resources.json has a path that cannot be one: '${resources["$path/path"]}'"
			[[ ${resources["$path/file"]-} =~ ^([A-Za-z0-9_][A-Za-z0-9@._-]*/){0,2}keys/[A-Za-z0-9_-]+\.key$ ]] ||
				fail 4 "$image/trustee/resources.json names a file that cannot hold a key: '${resources["$path/file"]-}'"
			paths+=("${resources["$path/path"]}") files+=("$image/${resources["$path/file"]}") made+=("${resources["$path/made"]-}")
		done
	done
	((${#ids[@]} > 0 && ${#paths[@]} > 0)) || fail 4 "$image/trustee/resources.json names no image, or no key"
}

# check_unchanged FOLDER SHA256: the image there is still the one that this folder was made for.
check_unchanged() {
	local manifest=$image/$1/manifest.json
	[[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9@._-]*(/[A-Za-z0-9_][A-Za-z0-9@._-]*)?$ ]] ||
		fail 4 "$image/trustee/resources.json names a folder that cannot be one: '$1'"
	[[ -f $manifest && $(sha256 "$manifest") == "$2" ]] ||
		fail 4 "the image in '$image/$1' is not the one that this folder was made for" "run the build of all sites again, or use the folder trustee of each image"
}

# open_record: nobody else works with it until this script ends. It holds hashes of keys, and no key.
open_record() {
	mkdir -p -- "${record%/*}" 2>/dev/null || fail 3 "cannot make the folder '$record'" "choose another: --record DIR"
	[[ -d $record ]] || mkdir -m 0700 -- "$record" 2>/dev/null ||
		fail 3 "cannot make the folder '$record'" "choose another: --record DIR"
	exec 9>"$record/lock" || fail 3 "cannot write in '$record'" "choose another: --record DIR"
	flock -n 9 || fail 3 "another upload is working with '$record'" "wait until it has ended"
	work=$(mktemp -d -- "$record/work.XXXXXX")
	trap 'rm -rf -- "$work"' EXIT
	mkdir "$work/no-certificates"
	touch "$record/keys"
}

# entries FILE: the lines of its images. template FILE: all but these. Both know a policy of ours by its markers.
entries() { awk -v begin="$begin" -v end="$end" '$0 == end { inside = 0 } inside; $0 == begin { inside = 1 }' "$1"; }
template() { awk -v begin="$begin" -v end="$end" '$0 == end { inside = 0 } !inside; $0 == begin { inside = 1 }' "$1"; }

# What the line of an image looks like: anything else could be a rule that somebody wrote into the policy.
part='"[A-Za-z0-9_.-]+"'
hex='("[0-9a-f]+",?)+'
image_line='^	"[A-Za-z0-9@._-]+": \{"paths":\[(\['"$part,$part,$part"'\],?)+\],"digests":\[('"$hex"')?\],'
image_line+='"smtAllowed":(true|false),"singleSocket":(true|false),'
image_line+='"minimumTcb":\{"bootloader":[0-9]+,"tee":[0-9]+,"snp":[0-9]+,"microcode":[0-9]+\},'
image_line+='"hostData":(null|\['"$hex"'\]),"chipIds":(null|\['"$hex"'\]),"gpu":"[a-z]+"\},$'

# is_ours FILE: it is our policy, but for the images: nobody has written rules into it. That of another version of these
# scripts is known by what was sent.
is_ours() {
	local line
	cmp -s <(template "$1") <(template "$image/trustee/resource-policy.rego") ||
		[[ $(sha256 "$1") == "$(cat -- "$record/sent" 2>/dev/null)" ]] || return 1
	while IFS= read -r line; do [[ $line =~ $image_line ]] || return 1; done < <(entries "$1")
}

# format_of FILE: the number of its rules, which each change of them raises.
format_of() { sed -n '1s/^# Resource policy for confidential VM images, format \([0-9]\{1,6\}\)\..*/\1/p' "$1"; }

# find_present: the policy that the broker has, as the file $work/present; empty where it may be replaced.
find_present() {
	local known=${present_policy:-$record/resource-policy.rego}
	: >"$work/present"
	if [[ -f $known ]]; then
		if is_ours "$known"; then
			cp -- "$known" "$work/present"
			# Older rules would be weaker for every image of the broker.
			(($(format_of "$known") <= $(format_of "$image/trustee/resource-policy.rego"))) ||
				fail 2 "the policy that $url has is of a newer version of these scripts (format $(format_of "$known"))" \
					"build the image again with that version"
		elif [[ -z $replace_policy ]]; then
			fail 2 "'$known' is not a policy of these scripts, or was changed by hand; the broker has been left as it is" \
				"merge it by hand, or give up what it allows: --replace-foreign-policy"
		fi
	elif [[ -n $present_policy ]]; then
		fail 2 "--present-policy: there is no file '$present_policy'"
	elif [[ -z $replace_policy ]]; then
		fail 2 "'$record' says nothing of the policy that $url has now, and a broker shows it to nobody" \
			"name the file that was sent last: --present-policy FILE; for a fresh broker, replace its initial policy: upload.sh --replace-foreign-policy"
	fi
}

# compose LINES: the policy with these images, as the file $work/policy.
compose() {
	local line
	template "$image/trustee/resource-policy.rego" | while IFS= read -r line; do
		printf '%s\n' "$line"
		[[ $line != "$begin" ]] || LC_ALL=C sort -u <"$1"
	done >"$work/policy"
}

# without_ours FILE: the images of a policy but those of this image directory.
without_ours() {
	local line id mine
	while IFS= read -r line; do
		mine=''
		for id in "${ids[@]}"; do [[ $line != $'\t'"\"$id\": "* ]] || mine=1; done
		[[ -n $mine ]] || printf '%s\n' "$line"
	done < <(entries "$1")
}

# kbs WORD...: call kbs-client; its last words are in $said. set-resource prints the key: what it prints is not looked at.
kbs() {
	local words=(--url "$url" --cert-file "$ca") status=0
	if [[ $1 == config ]]; then
		shift
		words+=(config)
		if [[ -n $admin_token ]]; then words+=(--admin-token-file "$admin_token"); else words+=(--auth-private-key "$auth_key"); fi
	fi
	# The authority of the broker is the only one.
	RUST_LOG=error SSL_CERT_FILE=$ca SSL_CERT_DIR=$work/no-certificates timeout -k 5 120 "$client" "${words[@]}" "$@" \
		9>&- </dev/null >/dev/null 2>"$work/said" || status=$?
	said=$(tr '\n\t' '  ' <"$work/said" | tr -cd ' -~' | tail -c 400)
	((status != 124 && status != 137)) || said="no answer within 120 seconds"
	return "$status"
}

# is_needed PATH: an image of the policy in $work/entries has it.
is_needed() { grep -qF -- "[\"${1//\//\",\"}\"]" "$work/entries"; }

# sent_paths: where keys were sent that were not deleted since.
sent_paths() { awk '{ print $1 }' "$record/keys"; }

# delete_key PATH: nothing releases it any more.
delete_key() {
	kbs config delete-resource --path "$1" || fail 1 "nothing releases the key of $1 any more, but $url has not deleted it: $said" \
		"run this script again with a newer kbs-client (old ones cannot delete), or delete it in the storage of the broker"
	note_key "$1"
	printf 'deleted the key of %s\n' "$1"
}

# send_policy: the composed one.
send_policy() {
	kbs config set-resource-policy --policy-file "$work/policy" || fail 1 "$url does not take the policy: $said" "look at the log of the broker; the address, the token or the certificate may be wrong"
	cp -- "$work/policy" "$record/resource-policy.rego.partial"
	sha256 "$work/policy" >"$record/sent"
	mv -- "$record/resource-policy.rego.partial" "$record/resource-policy.rego"
}

# known_key PATH: the sha256 of the key that was sent there; nothing where none was.
known_key() { awk -v path="$1" '$1 == path { print $2 }' "$record/keys"; }

# note_key PATH [SHA256]: keep it in mind; without a hash forget it.
note_key() {
	awk -v path="$1" '$1 != path' "$record/keys" >"$record/keys.partial"
	[[ -z ${2-} ]] || printf '%s %s\n' "$1" "$2" >>"$record/keys.partial"
	mv -- "$record/keys.partial" "$record/keys"
}
