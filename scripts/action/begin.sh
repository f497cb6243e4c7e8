#!/usr/bin/env bash
# Checks the inputs and puts ecplan on the PATH: the binary that is given, or the release
# that belongs to the action, whose checksum must be right.
#
# outputs: script    the script that does the command
#          plans, writes, contacts: what the command does, "true" or "false"
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

for tool in curl jq; do
  command -v "$tool" >/dev/null || fail "The action needs $tool, which this runner does not have. GitHub's own runners have it; install it on yours."
done

script=$INPUT_COMMAND plans=false writes=false contacts=true
case $INPUT_COMMAND in
  plan) plans=true ;;
  apply | resume | rollback) script=apply writes=true ;;
  drift) ;;
  validate) contacts=false ;;
  *) fail "There is no command '$INPUT_COMMAND' in this action. The input 'command' is one of plan, apply, drift, validate, resume, rollback." ;;
esac
[[ $INPUT_NAME =~ ^[A-Za-z0-9._-]{1,64}$ && $INPUT_NAME != . && $INPUT_NAME != .. ]] ||
  fail "The input 'name' may have letters, digits, '.', '_' and '-', at most 64. It names the artifacts, the comment and the kept store."
[[ -z $INPUT_CHECKSUM || $INPUT_CHECKSUM =~ ^sha256:[0-9a-f]{64}$ ]] ||
  fail "The input 'checksum' is not the checksum of a plan, which is sha256: and 64 hexadecimal digits."
[[ -z $INPUT_RUN_ID || $INPUT_RUN_ID =~ ^[0-9]+$ ]] || fail "The input 'run-id' is not the number of a workflow run."
[[ -z $INPUT_RUN_ID || -n $INPUT_CHECKSUM ]] ||
  fail "The input 'run-id' needs 'checksum' beside it: which plan is to be applied, and not only where it lies."
output script "$script"
output plans "$plans"
output writes "$writes"
output contacts "$contacts"

# sha256 FILE
sha256() {
  if command -v sha256sum >/dev/null; then sha256sum -- "$1"; else shasum -a 256 -- "$1"; fi | cut -d ' ' -f 1
}

bin=$RUNNER_TEMP/ecplan-bin
mkdir -p -- "$bin"
if [[ -n $INPUT_BINARY ]]; then
  [[ -f $INPUT_BINARY && -x $INPUT_BINARY ]] || fail "The input 'binary' is not a program: $INPUT_BINARY"
  cp -- "$INPUT_BINARY" "$bin/ecplan"
else
  version=$INPUT_VERSION
  if [[ -z $version && $ACTION_REF =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]]; then
    version=$ACTION_REF
  fi
  [[ -n $version ]] ||
    fail "Which release of ecplan to use can't be told from '$ACTION_REF'. Use the action by the tag of a release, such as v1.2.3, or give the input 'version'."
  [[ $version =~ ^[0-9A-Za-z][0-9A-Za-z._-]*$ ]] || fail "The input 'version' is not the tag of a release: $version"
  case $RUNNER_OS in
    Linux) os=linux ;;
    macOS) os=darwin ;;
    *) fail "The action works on Linux and macOS runners, and this one has $RUNNER_OS." ;;
  esac
  case $RUNNER_ARCH in
    X64) arch=amd64 ;;
    ARM64) arch=arm64 ;;
    *) fail "There is no release of ecplan for $RUNNER_ARCH. Build one and give its path as input 'binary'." ;;
  esac
  asset=ecplan_${version}_${os}_${arch}
  from=$INPUT_RELEASES/download/$version
  # fetch NAME FILE
  fetch() {
    curl --silent --show-error --fail --location --proto =https --retry 3 --max-time 300 --output "$2" "$from/$1" ||
      fail "$from/$1 can't be fetched. Is there a release $version?"
  }
  fetch checksums.txt "$bin/checksums.txt"
  want=$(awk -v name="$asset" '$2 == name { print $1 }' "$bin/checksums.txt")
  [[ $want =~ ^[0-9a-f]{64}$ ]] || fail "The release $version lists no checksum for $asset."
  [[ -z $INPUT_SHA256 || $INPUT_SHA256 == "$want" ]] ||
    fail "The release $version lists $want for $asset, and the input 'sha256' wants $INPUT_SHA256. Nothing of it is run."
  fetch "$asset" "$bin/download"
  got=$(sha256 "$bin/download")
  [[ $got == "$want" ]] || fail "$from/$asset has the checksum $got, and the release lists $want. Nothing of it is run."
  mv -- "$bin/download" "$bin/ecplan"
  chmod +x -- "$bin/ecplan"
fi
printf '%s\n' "$bin" >>"$GITHUB_PATH"
"$bin/ecplan" version
