#!/usr/bin/env bash
# Applies exactly the plan in PLAN, whose checksum must be CHECKSUM, or finishes or takes
# back the tenant's last run.
#
# output: code: ecplan's exit code
# shellcheck source-path=SCRIPTDIR source=base.sh
source "$(dirname "${BASH_SOURCE[0]}")/base.sh"
prepare

case $INPUT_COMMAND in
  apply)
    args+=("--checksum=$CHECKSUM")
    if [[ -n $INPUT_POLICY ]]; then
      args+=("--policy=$INPUT_POLICY")
    fi
    args+=("$PLAN")
    ;;
  *) args+=(--yes) ;;
esac
if [[ $INPUT_COMMAND == rollback && $INPUT_FORCE == true ]]; then
  args+=(--force)
fi

report=$folder/run.md
told=$folder/progress.txt
mkfifo -- "$folder/pipe"
silence
tee -- "$told" <"$folder/pipe" &
log=$!
ecplan "$INPUT_COMMAND" --format=markdown "${args[@]}" >"$report" 2>"$folder/pipe" &
pid=$!

# When a job is cancelled, the runner interrupts this script, and not what it has started.
# ecplan then starts nothing new, and what is in flight finishes and is put on record; at
# the second signal it stops at once.
interrupted=
trap 'interrupted=yes; kill -TERM "$pid" 2>/dev/null || true' INT TERM
code=0
while :; do
  interrupted=
  wait "$pid" && code=0 || code=$?
  [[ -n $interrupted ]] || break
done
wait "$log" || true
speak

{
  cat -- "$report"
  if [[ ! -s $report ]]; then
    printf '### ecplan: %s\n\n**Nothing was changed.** ecplan says:\n' "$INPUT_COMMAND"
    quoted "$told"
  fi
} >>"$GITHUB_STEP_SUMMARY"
output code "$code"
