# shellcheck shell=bash
# The private engine of scripts/lib/engine.sh, in a state folder of its own.

case_50_engine() {
  if [[ $EUID -ne 0 ]] || ! type -P dockerd >/dev/null; then
    printf '# only root can start dockerd: skipped\n'
    return 0
  fi
  (
    unset CAUR_DOCKER_SOCKET DOCKER_HOST
    # shellcheck disable=SC2034  # engine.sh reads them
    ENGINE_PRIVATE=
    # Longer than a Unix socket's name may be.
    CAUR_DEV_STATE=$SCRATCH/$(printf 'long/%.0s' {1..25})
    engine_start_private && engine_answers "$CAUR_DOCKER_SOCKET" && engine_pid "$(engine_run)" >"$SCRATCH/first"
    # A second script uses the same daemon and leaves it to the first.
    # shellcheck disable=SC2016  # for the inner shell
    ROOT=$ROOT CAUR_DEV_STATE=$CAUR_DEV_STATE bash -c 'source "$ROOT/scripts/lib/engine.sh"
      engine_start_private && engine_pid "$(engine_run)" >"$0" && engine_stop' "$SCRATCH/second" 8>&-
    engine_pid "$(engine_run)" >"$SCRATCH/after-second" || true
    engine_stop
    engine_pid "$(engine_run)" >"$SCRATCH/after-first" || true

    engine_start_private && engine_keep && engine_stop
    engine_pid "$(engine_run)" >"$SCRATCH/kept" || true
    engine_end
    engine_pid "$(engine_run)" >"$SCRATCH/ended" || true
    rm -rf "$(engine_run)"
  ) || true
  check "engine: started despite a long path" test -s "$SCRATCH/first"
  check "engine: shared by a second script" cmp "$SCRATCH/first" "$SCRATCH/second"
  check "engine: stays while the first script uses it" cmp "$SCRATCH/first" "$SCRATCH/after-second"
  check "engine: the last script ends it" test ! -s "$SCRATCH/after-first"
  check "engine: kept on request" test -s "$SCRATCH/kept"
  check "engine: ended on request" test ! -s "$SCRATCH/ended"
}
