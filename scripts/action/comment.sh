#!/usr/bin/env bash
# Shows the plan in the pull request: one comment, made once and replaced from then on.
# COMMENT is the file with its text.
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

number=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH")
if [[ -z $number ]]; then
  echo "The run is not about a pull request, so the plan is in its summary only."
  exit 0
fi
body=$RUNNER_TEMP/ecplan/comment.json
jq -n --rawfile body "$COMMENT" '{$body}' >"$body"
id=$(said "$number" .id) || fail "The comments of the pull request can't be read. The job needs 'permissions: pull-requests: write'."
if [[ -n $id ]]; then
  url=$(api PATCH "/issues/comments/$id" "$body" | jq -r .html_url)
else
  url=$(api POST "/issues/$number/comments" "$body" | jq -r .html_url)
fi || fail "The comment with the plan can't be written. The job needs 'permissions: pull-requests: write', which a pull request from a fork never has."
echo "The plan is shown at $url"
