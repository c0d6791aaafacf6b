#!/usr/bin/env bash
# First process of a build container: `/entry_point.sh build PKGBASE`.
# Checks the arguments, runs the build as its child and answers signals at once, which a first
# process that waits in the foreground would not do.
set -euo pipefail

# One stream keeps output and messages in the order in which they happened.
exec </dev/null 2>&1

CAUR_LIB=${CAUR_LIB:-/usr/lib/caur-builder}
export CAUR_LIB
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$CAUR_LIB/lib.sh"

[[ ${1-} == build ]] \
  || fail "$STATUS_FAILED" "start" "unknown command '${1-}'" "use: /entry_point.sh build PKGBASE"
[[ $# -eq 2 ]] \
  || fail "$STATUS_FAILED" "start" "'build' got $(($# - 1)) arguments" "use: /entry_point.sh build PKGBASE"

# shellcheck disable=SC2317  # reached through the trap
stop() {
  trap '' TERM INT HUP
  say "Stopping: the container was asked to end"
  if (($$ == 1)); then
    kill -TERM -1 || true
  else
    kill -TERM "$child" || true
  fi
  # The build restores the ownership of the mounted folders on its way out.
  local tenth
  for ((tenth = 0; tenth < 50; tenth++)); do
    kill -0 "$child" 2>/dev/null || break
    sleep 0.1
  done
  exit 143
}

# Job control gives the build its own process group and default signal handling: background
# processes of a plain script would have SIGINT ignored, which breaks test suites.
set -m
bash "$CAUR_LIB/build.sh" "$2" &
child=$!
set +m
trap stop TERM INT HUP

status=0
wait "$child" || status=$?
exit "$status"
