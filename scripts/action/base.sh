# shellcheck shell=bash
# What the scripts of the action have in common. Sourced, never run. They keep to
# bash 3.2, which macOS has, and use curl and jq, which GitHub's runners have.
set -euo pipefail

# fail SENTENCE: an error that GitHub shows at the top of the run. Ends the script.
fail() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '::error title=ecplan::%s\n' "${text//$'\n'/%0A}"
  exit 1
}

# output NAME VALUE: an output of the step. Values are of one line.
output() {
  case $2 in *$'\n'*) fail "The output $1 has several lines." ;; esac
  printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# silence begins a part of the log in which the runner heeds no commands, and speak ends
# it: what a tenant or a manifest says can't become "::set-output" or "::error".
silence() {
  silenced=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '::stop-commands::%s\n' "$silenced"
}
speak() { printf '\n::%s::\n' "$silenced"; }

# prepare fills the array args with the flags that every command takes, and sets folder,
# which is empty, for what the command makes.
prepare() {
  local line word
  args=(--no-color "--store=$INPUT_STORE")
  while IFS= read -r line; do
    [[ -z $line ]] || args+=("--file=$line")
  done <<<"$INPUT_MANIFESTS"
  set -f # a pattern of tenants is not one of files
  for word in $INPUT_TENANT; do
    args+=("--tenant=$word")
  done
  set +f
  folder=$RUNNER_TEMP/ecplan/$INPUT_NAME
  rm -rf -- "$folder"
  mkdir -p -- "$folder"
  # A store that was restored is this job's own copy. What the job that saved it had locked
  # is nobody's now, and artifacts lose the modes of files.
  if [[ -n $RESTORED && -d $INPUT_STORE ]]; then
    rm -rf -- "$INPUT_STORE/locks"
    chmod -R go= -- "$INPUT_STORE"
  fi
}

# quoted FILE: its text as a Markdown code block, cut at 50,000 bytes. Four blanks before
# each line can't be closed by what the line says.
quoted() {
  printf '\n'
  head -c 50000 -- "$1" | LC_ALL=C tr -d '\000-\010\013-\037\177' | LC_ALL=C sed 's/^/    /'
  printf '\n'
}

# api METHOD PATH [FILE]: asks GitHub's REST API, with the JSON in FILE. Only reads are
# repeated. The token goes through a pipe, for a list of processes shows arguments.
api() {
  local curl=(curl --silent --show-error --fail-with-body --max-time 60 --request "$1"
    --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28')
  if [[ $1 == GET ]]; then
    curl+=(--retry 3)
  fi
  if [[ $# -gt 2 ]]; then
    curl+=(--header 'Content-Type: application/json' --data-binary "@$3")
  fi
  "${curl[@]}" --config <(printf 'header = "Authorization: Bearer %s"\n' "$INPUT_TOKEN") "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY$2"
}

# every PATH FILTER: what the jq filter gives for each item of a listing, over all its
# pages. PATH has a query; a listing is an array, or an object with artifacts.
every() {
  local page=1 items
  while :; do
    items=$(api GET "$1&per_page=100&page=$page" | jq -c 'if type == "array" then . else .artifacts end') || return
    jq -r ".[] | $2" <<<"$items" || return
    [[ $(jq length <<<"$items") -eq 100 ]] || return 0
    page=$((page + 1))
  done
}

# said NUMBER FILTER: what the jq filter gives for the comment on the pull request that
# shows the plan of this name; nothing if there is none. The author is looked at, so that
# nobody can slip in another by copying its first line.
said() {
  MARK="<!-- ecplan plan $INPUT_NAME " every "/issues/$1/comments?sort=created" \
    "select(.user.login == env.INPUT_COMMENT_AUTHOR and (.body | startswith(env.MARK))) | $2" | sed -n 1p
}
