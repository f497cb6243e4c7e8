#!/usr/bin/env bash
# Plans, and makes of the plan what people read: the log, the summary of the run, the text
# of the comment, a page.
#
# outputs: folder    what goes into the artifact: plan.json, plan.txt, plan.md, plan.html
#          comment   the file with the text of the comment
#          checksum  of the plan; "" if there is none to apply
#          changes   "true" if something would change
#          code      0, or ecplan's exit code if there is no plan to apply
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"
prepare

if [[ $INPUT_PRUNE == true ]]; then
  args+=(--prune)
fi
if [[ $INPUT_FORCE == true ]]; then
  args+=(--force)
fi
if [[ -n $INPUT_POLICY ]]; then
  args+=("--policy=$INPUT_POLICY")
fi
plan=$folder/plan.json
errors=$RUNNER_TEMP/ecplan/errors.txt
code=0
ecplan plan "${args[@]}" "--out=$plan" --detailed-exitcode >"$folder/plan.txt" 2>"$errors" || code=$?

silence
cat -- "$folder/plan.txt" "$errors"
speak

run_url=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID
changes=false
if [[ $code -eq 2 ]]; then
  changes=true code=0
fi
checksum=
title='ecplan: plan'
if [[ $INPUT_NAME != default ]]; then
  title="$title ($INPUT_NAME)"
fi
if [[ -f $plan ]]; then
  ecplan show "$plan" --no-color --format=html "--title=$title" >"$folder/plan.html"
  ecplan show "$plan" --no-color --format=markdown "--title=$title" "--link=$run_url" >"$folder/plan.md"
else
  {
    printf '### %s\n\n**There is no plan.** [The run](%s) says:\n' "$title" "$run_url"
    quoted "$errors"
  } >"$folder/plan.md"
fi
if [[ $code -eq 0 ]]; then
  checksum=$(jq -r .checksum "$plan")
fi

# The first line can't be seen. By it the comment is found again, and the plan of a merged
# pull request.
comment=$RUNNER_TEMP/ecplan/comment.md
{
  if [[ -n $checksum ]]; then
    printf '<!-- ecplan plan %s run=%s checksum=%s -->\n' "$INPUT_NAME" "$GITHUB_RUN_ID" "$checksum"
  else
    printf '<!-- ecplan plan %s failed -->\n' "$INPUT_NAME"
  fi
  cat -- "$folder/plan.md"
} >"$comment"
cat -- "$folder/plan.md" >>"$GITHUB_STEP_SUMMARY"

output folder "$folder"
output comment "$comment"
output checksum "$checksum"
output changes "$changes"
output code "$code"
