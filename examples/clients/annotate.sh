#!/bin/sh
# A client of medspan serve; needs curl 7.76 or newer, od and awk. Answers are JSON, as the service gives them.
#
#     annotate.sh URL annotate FILE...       an answer a line
#     annotate.sh URL stream FILE.jsonl      {"id", "text"} a line; an answer a line, as it comes
#     annotate.sh URL deidentify FILE...     an answer a line
#
# The key, where the service wants one, is read from the environment (MEDSPAN_KEY). OFFSETS=utf16 asks for
# offsets as JavaScript and Java count; code points otherwise.
set -eu

usage() {
  echo "annotate.sh URL annotate|stream|deidentify FILE..." >&2
  exit 2
}

[ $# -ge 3 ] || usage
service="${1%/}"
verb="$2"
case "$verb" in annotate | stream | deidentify) ;; *) usage ;; esac
shift 2

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT INT TERM

# A file as a JSON string: each byte below a blank, quotes and backslashes as an escape.
json_string() {
  printf '"'
  od -An -v -tu1 "$1" | LC_ALL=C awk '{
    for (i = 1; i <= NF; i++) {
      byte = $i + 0
      if (byte < 32 || byte == 34 || byte == 92) printf "\\u%04x", byte; else printf "%c", byte
    }
  }'
  printf '"'
}

# curl with what all requests share. The key goes in by standard input: others can see the words of a command.
# --retry waits as long as Retry-After says where the service is busy (429, 503).
post() {
  type="$1"
  body="$2"
  shift 2
  {
    if [ -n "${MEDSPAN_KEY:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$MEDSPAN_KEY"; fi
  } | curl --config - --silent --show-error --retry 5 --header "Content-Type: $type" --data-binary "@$body" "$@"
}

# End as curl did; where there is an answer, it says why.
fail() {
  if [ -s "$work/answer" ]; then
    printf '%s: ' "$file"
    cat "$work/answer"
    echo
  fi >&2
  exit "$1"
}

# Ask one question, in $work/question.
ask() {
  post application/json "$work/question" --fail-with-body --output "$work/answer" "$service/v1/$1" || fail $?
  cat "$work/answer"
  echo
}

# Send many documents. --fail: else the words of a service that is busy would stand among the answers. It keeps
# silent about the reason too, so a request that was refused is sent once more for that alone.
stream() {
  url="$service/v1/annotate?offsets=${OFFSETS:-codepoint}"
  post application/x-ndjson "$file" --no-buffer --fail "$url" && return
  status=$?
  if [ "$status" -eq 22 ]; then
    post application/x-ndjson "$file" --retry 0 --fail-with-body --output "$work/answer" "$url" 2>/dev/null || fail "$status"
  fi
  exit "$status"
}

for file in "$@"; do
  [ -r "$file" ] || { echo "$file: cannot be read" >&2; exit 1; }
  case "$verb" in
    annotate | deidentify)
      {
        printf '{"offsets":"%s","text":' "${OFFSETS:-codepoint}"
        json_string "$file"
        printf '}'
      } >"$work/question"
      ask "$verb"
      ;;
    stream) stream ;;
  esac
done
