#!/usr/bin/env bash
# Finds the artifact with the store of the last run, for when the cache has been cleared.
# Only this repository's own runs on the branch count: anybody's fork can have an artifact
# of that name.
#
# output: run-id: the run that has it; "" if there is none
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

branch=$(jq -r '.pull_request.base.ref // empty' "$GITHUB_EVENT_PATH")
run=$(BRANCH=${branch:-$GITHUB_REF_NAME} every "/actions/artifacts?name=ecplan-store-$INPUT_NAME" \
  'select((.expired | not) and .workflow_run.head_branch == env.BRANCH and .workflow_run.head_repository_id == .workflow_run.repository_id)
   | "\(.created_at) \(.workflow_run.id)"' | sort | tail -n 1 | cut -d ' ' -f 2) ||
  fail "The artifacts of this repository can't be listed. The job needs 'permissions: actions: read'."
if [[ -n $run ]]; then
  echo "The cache has no store; that of run $run is taken."
else
  echo "There is no store of an earlier run. Nothing breaks without one; secrets count as changed."
fi
output run-id "$run"
