#!/usr/bin/env bash
# Checks the manifests, without a tenant or a secret, and shows each problem at its line
# in the pull request.
#
# output: code: ecplan's exit code
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

args=()
while IFS= read -r line; do
  [[ -z $line ]] || args+=("--file=$line")
done <<<"$INPUT_MANIFESTS"
problems=$RUNNER_TEMP/ecplan-problems.json
code=0
ecplan validate --format=json "${args[@]}" >"$problems" || code=$?
jq -r '
  def text: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");
  def property: text | gsub(":"; "%3A") | gsub(","; "%2C");
  .diagnostics[]
  | "::\(if .severity == "error" then "error" else "warning" end) file=\(.position.file // "" | property)"
    + ",line=\(.position.line // 1),col=\(.position.column // 1),title=\([.address // empty, .summary] | join(": ") | property)"
    + "::\(.detail // .summary | text)"' "$problems"
jq -r '"ecplan: \(.errors) errors, \(.warnings) warnings in the manifests."' "$problems"
output code "$code"
