#!/usr/bin/env bash
# Tells what has changed on the tenants since the last run, though no manifest did.
#
# outputs: changes: "true" if something has
#          code:    ecplan's exit code; 2 is drift
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"
prepare

errors=$folder/errors.txt
code=0
ecplan plan "${args[@]}" --drift --detailed-exitcode --format=markdown >"$folder/drift.md" 2>"$errors" || code=$?
{
  cat -- "$folder/drift.md"
  if [[ ! -s $folder/drift.md ]]; then
    printf '### ecplan: drift\n\n**It is not known whether there is drift.** ecplan says:\n'
    quoted "$errors"
  fi
} >>"$GITHUB_STEP_SUMMARY"
silence
cat -- "$folder/drift.md" "$errors"
speak
changes=false
if [[ $code -eq 2 ]]; then
  changes=true
fi
output changes "$changes"
output code "$code"
