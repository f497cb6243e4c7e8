#!/usr/bin/env bash
# Finds the plan that was reviewed: the one that the comment shows on the pull request
# whose merge made this commit.
#
# outputs: run-id, checksum: the run whose artifact the plan is, and which plan it is
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

again="To plan and apply what is on $GITHUB_REF_NAME, start the workflow by hand (workflow_dispatch); the example in examples/gitops has it."
number=$(MERGED=$GITHUB_SHA BASE=$GITHUB_REF_NAME every "/commits/$GITHUB_SHA/pulls?" \
  'select(.merged_at != null and .merge_commit_sha == env.MERGED and .base.ref == env.BASE) | .number' | sed -n 1p) ||
  fail "Which pull request the commit $GITHUB_SHA is from can't be read. The job needs 'permissions: pull-requests: read'."
[[ -n $number ]] || fail "The commit $GITHUB_SHA is not the merge of a pull request, so nobody has reviewed a plan for it; nothing is applied. $again"
found=$(said "$number" '.body | capture("^<!-- ecplan plan [^ ]+ run=(?<run>[0-9]+) checksum=(?<sum>sha256:[0-9a-f]{64}) -->") // {run: "", sum: ""} | "\(.run) \(.sum)"') ||
  fail "The comments of the pull request #$number can't be read. The job needs 'permissions: pull-requests: read'."
read -r run checksum <<<"$found" || true
[[ -n ${run:-} && -n ${checksum:-} ]] ||
  fail "The pull request #$number shows no plan by $INPUT_COMMENT_AUTHOR that can be applied; nothing is applied. $again"
echo "The pull request #$number shows the plan $checksum of run $run."
output run-id "$run"
output checksum "$checksum"
