#!/usr/bin/env bash
# The check's verdict, when all that is to be shown and kept has been: fails the job if
# CODE, ecplan's exit code, is not 0.
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

store="Its journal is kept, in the artifact ecplan-store-$INPUT_NAME or the cache. The commands resume and rollback of the action finish the run, or take it back."
case $INPUT_COMMAND/$CODE in
  */0) ;;
  validate/*) fail "The manifests have errors; each is shown at its line." ;;
  plan/*) fail "There is no plan that may be applied: a tenant can't be planned for, the plan breaks the policy, or a refusal stands that nobody acknowledged. The summary of the run says which." ;;
  drift/2) fail "Something has changed on a tenant since the last run, though no manifest did. The summary of the run says what." ;;
  drift/*) fail "Whether there is drift can't be told. The summary of the run says why." ;;
  */1) fail "ecplan $INPUT_COMMAND was refused or failed, and nothing was changed. The summary of the run says why." ;;
  */3) fail "ecplan $INPUT_COMMAND failed, and changes remain on the tenant. $store" ;;
  */4) fail "ecplan $INPUT_COMMAND failed, and its changes were taken back. The summary of the run says why." ;;
  *) fail "ecplan $INPUT_COMMAND ended with code '$CODE'. $store" ;;
esac
