#!/usr/bin/env bash
# Builds one package: build.sh PKGBASE. Started by entry_point.sh inside the build container.
#
# Exit status: 0 built, 13 makepkg says already built, $CI_CODE_SKIP skipped on purpose, 124 makepkg
# ran into its time limit, 75 the environment could not be set up (network, mirror, keyring, git),
# anything else: the package failed.
set -Eeuo pipefail
# A plain assignment from a failing command must end the script in functions and subshells too.
shopt -s inherit_errexit

CAUR_LIB=${CAUR_LIB:-/usr/lib/caur-builder}
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$CAUR_LIB/lib.sh"
# shellcheck source-path=SCRIPTDIR source=pacman.sh
source "$CAUR_LIB/pacman.sh"
# shellcheck source-path=SCRIPTDIR source=interfere.sh
source "$CAUR_LIB/interfere.sh"
# shellcheck source-path=SCRIPTDIR source=package.sh
source "$CAUR_LIB/package.sh"

readonly SOURCES=/pkgbuilds
readonly SRCDEST_CACHE=/home/builder/srcdest_cached
readonly PKGOUT=/home/builder/pkgout
readonly TEMP_OUT=/home/builder/tempOut
readonly BUILD_DIR=/home/builder/build
readonly WORK=/home/builder/work
# Sources that nothing has asked for in a month are dropped.
readonly CACHE_SECONDS=$((30 * 24 * 3600))

# Owner of each mounted folder as it was, for the way out.
declare -A OWNERS=()

main() {
  PKGBASE=$1
  START=$WORK/$PKGBASE
  HOOK_ENVIRONMENT=$(mktemp)
  export CI_CODE_SKIP=${CI_CODE_SKIP:-123}

  check_request
  say "Building $PKGBASE on ${BUILDER_HOSTNAME:-unnamed builder}"
  trap leave EXIT
  trap 'unforeseen "$?" "$LINENO" "$BASH_COMMAND"' ERR
  trap 'exit 143' TERM INT HUP
  adopt_mounts
  copy_package
  set_time_limit
  open_source_cache
  configure_makepkg
  setup_pacman
  interfere

  local status=0
  run_makepkg || status=$?
  close_source_cache "$status"
  case $status in
    0) finish_build ;;
    "$STATUS_ALREADY_BUILT") say "Already built: the repository holds this version of $PKGBASE" ;;
    *) report_failure "$status" ;;
  esac
  print_interferes
  exit "$status"
}

check_request() {
  [[ $PKGBASE =~ ^[a-z0-9_+@][a-z0-9._+@-]*$ ]] \
    || fail "$STATUS_FAILED" "start" "'$PKGBASE' is not a valid pkgbase" "use letters a-z, digits and ._+@-, not starting with '-' or '.'"
  [[ $CI_CODE_SKIP =~ ^[1-9][0-9]{0,2}$ ]] \
    || fail "$STATUS_FAILED" "start" "CI_CODE_SKIP is '$CI_CODE_SKIP'" "set an exit status from 1 to 255"
  [[ ${BUILDER_TIMEOUT:=3600} =~ ^[1-9][0-9]*$ ]] \
    || fail "$STATUS_FAILED" "start" "BUILDER_TIMEOUT is '$BUILDER_TIMEOUT'" "set it to whole seconds"
}

# The mounts belong to whoever runs the builder; makepkg writes to them as the user `builder`.
adopt_mounts() {
  local folder
  for folder in "$SRCDEST_CACHE" "$PKGOUT" "$TEMP_OUT" "$BUILD_DIR"; do
    mkdir -p "$folder"
    OWNERS[$folder]=$(stat -c %u:%g "$folder")
    chown -R -h builder: "$folder"
  done
}

# Runs on every way out: no filler or half-written file stays behind, and the mounts go back to
# their owner, who could not delete the results otherwise.
# shellcheck disable=SC2317  # reached through the trap
leave() {
  local status=$? folder
  set +e
  remove_fillers
  find "$PKGOUT" -maxdepth 1 -name '*.part' -delete
  if ((status != 0)); then
    find "$PKGOUT" -maxdepth 1 -type f -delete
  fi
  for folder in "${!OWNERS[@]}"; do
    chown -R -h "${OWNERS[$folder]}" "$folder"
  done
  exit "$status"
}

# A command of these scripts that fails without a message of its own still gets one, and never
# passes for a status with a meaning.
# shellcheck disable=SC2317  # reached through the trap
unforeseen() {
  ((BASH_SUBSHELL == 0)) || return 0
  fail "$STATUS_FAILED" "build script" "line $2 of ${BASH_SOURCE[1]##*/}: $3 (status $1)" "look at the lines above; a full disk is a common cause"
}

# With a repository named, /pkgbuilds is brought to its branch head first. What could not be
# fetched is never built from what was there before.
update_sources() {
  [[ -n ${PACKAGE_REPO_ID:-}${PACKAGE_REPO_URL:-} ]] || return 0
  local what="${PACKAGE_REPO_ID:-source repository} from ${PACKAGE_REPO_URL:-}"
  [[ -n ${PACKAGE_REPO_URL:-} ]] \
    || fail "$STATUS_FAILED" "git" "PACKAGE_REPO_ID is '$PACKAGE_REPO_ID' without PACKAGE_REPO_URL" "set both, or neither to build from /pkgbuilds as it is"
  local advice="check the address and the network; the sources from before are not built instead"
  # A repository that asks for a password fails instead of waiting for one.
  export GIT_TERMINAL_PROMPT=0
  mkdir -p "$SOURCES"
  # Builds that share the folder take turns.
  exec 9<"$SOURCES"
  setup_step "git" "waiting for the lock of $SOURCES" "look for a build that hangs" flock 9
  say "Fetching $what"
  if [[ ! -d $SOURCES/.git ]]; then
    setup_step "git" "creating a repository in $SOURCES" "check that the mount is writable" git init -q "$SOURCES"
  fi
  setup_step "git" "fetching $what" "$advice" \
    git -C "$SOURCES" fetch -q --no-tags --depth 1 --force -- "$PACKAGE_REPO_URL" HEAD
  setup_step "git" "checking out $what" "empty the sources folder" git -C "$SOURCES" reset -q --hard FETCH_HEAD
  setup_step "git" "cleaning $SOURCES" "empty the sources folder" git -C "$SOURCES" clean -q -ffdx
  say "Source commit: $(git -C "$SOURCES" rev-parse HEAD)"
}

copy_package() {
  update_sources
  [[ -d $SOURCES/$PKGBASE ]] \
    || fail "$STATUS_FAILED" "sources" "there is no folder $PKGBASE in the source repository" "check the name and the commit that is built"
  [[ -f $SOURCES/$PKGBASE/PKGBUILD ]] \
    || fail "$STATUS_FAILED" "sources" "the folder $PKGBASE holds no PKGBUILD" "add it to the source repository"
  mkdir -p "$WORK"
  rm -rf "$START"
  # Mounts may hold what an earlier build left behind.
  rm -rf "${BUILD_DIR:?}/$PKGBASE"
  cp -a "$SOURCES/$PKGBASE" "$START"
  chown -R -h builder: "$WORK"
  exec 9<&-
  cd "$START"
}

set_time_limit() {
  local factor
  factor=$(config_value .CI/config BUILDER_EXTRA_TIMEOUT)
  factor=${factor:-1}
  if [[ ! $factor =~ ^[0-9]+([.][0-9]+)?$ || $factor =~ ^0+([.]0+)?$ ]]; then
    warn "BUILDER_EXTRA_TIMEOUT of $PKGBASE is '$factor', not a number above 0; it is ignored"
    factor=1
  fi
  TIME_LIMIT=$(awk -v seconds="$BUILDER_TIMEOUT" -v factor="$factor" \
    'BEGIN { limit = int(seconds * factor + 0.5); print limit < 1 ? 1 : limit }')
  say "Time limit of makepkg: $TIME_LIMIT s (BUILDER_TIMEOUT $BUILDER_TIMEOUT s times $factor)"
}

drop_source_cache() {
  find "$SRCDEST_CACHE" -mindepth 1 -delete
}

# Sources stay between builds only where the package asks for it. `.timestamp` holds the Unix time
# of the last use.
open_source_cache() {
  local stamp=$SRCDEST_CACHE/.timestamp used now
  now=$(date +%s)
  if [[ -f $stamp ]]; then
    used=$(head -c 32 "$stamp" | tr -cd '0-9')
    # Other programs leave milliseconds, or an empty file.
    if ((${#used} >= 13)); then
      used=${used::-3}
    elif ((${#used} < 9)); then
      used=$(stat -c %Y "$stamp")
    fi
    if ((now - used > CACHE_SECONDS)); then
      say "Source cache was unused for more than a month: dropped"
      drop_source_cache
    fi
  fi
  if [[ $(config_value .CI/config BUILDER_CACHE_SOURCES) == true ]]; then
    CACHE_SOURCES=yes
    say "Sources are kept in the cache"
  else
    CACHE_SOURCES=
    drop_source_cache
  fi
  printf '%s\n' "$now" >"$stamp"
  chown builder: "$stamp"
}

# A download that makepkg refused (status 1: fetching or checking sources) would fail every later
# build of a package that keeps its sources.
close_source_cache() {
  local status=$1
  if [[ -z $CACHE_SOURCES ]]; then
    find "$SRCDEST_CACHE" -mindepth 1 ! -path "$SRCDEST_CACHE/.timestamp" -delete
  elif ((status == 1)); then
    say "Source cache dropped, so that a bad download is not kept"
    find "$SRCDEST_CACHE" -mindepth 1 ! -path "$SRCDEST_CACHE/.timestamp" -delete
  fi
}

# Settings go into makepkg.conf, where PKGBUILDs that read that file find them too.
configure_makepkg() {
  {
    printf '\n# Settings of this build\n'
    printf 'PKGEXT=.pkg.tar\nPKGDEST=%q\nSRCDEST=%q\nBUILDDIR=%q\n' "$PKGOUT" "$SRCDEST_CACHE" "$BUILD_DIR"
    printf 'PACKAGER=%q\n' "${PACKAGER:-Caur <caur@localhost>}"
    printf 'OPTIONS+=(!debug)\n'
    if [[ -n ${MAKEFLAGS:-} ]]; then
      printf 'MAKEFLAGS=%q\n' "$MAKEFLAGS"
    else
      # shellcheck disable=SC2016  # expanded when makepkg reads it
      printf ': "${MAKEFLAGS:=-j%d}"\n' "$(nproc)"
    fi
  } >>/etc/makepkg.conf
}

# Runs makepkg as `builder` under the time limit, with what .CI/prepare exported.
run_makepkg() {
  local status=0 begin=$SECONDS
  say "Starting makepkg"
  (
    set +e
    if [[ -s $HOOK_ENVIRONMENT ]]; then
      # shellcheck source=/dev/null
      source "$HOOK_ENVIRONMENT"
    fi
    cd "$START" || exit 1
    exec timeout --kill-after="${BUILDER_KILL_GRACE:-30}" "$TIME_LIMIT" \
      setpriv --reuid=builder --regid=builder --init-groups \
      env HOME=/home/builder USER=builder LOGNAME=builder SHELL=/bin/bash \
      makepkg --skippgpcheck -s --noconfirm
  ) || status=$?
  # Nothing that the build left running may touch its results, or keep the log open.
  as_builder bash -c 'kill -KILL -1' 2>/dev/null || true

  if ((status == STATUS_TIMED_OUT || status == 137)) && ((SECONDS - begin >= TIME_LIMIT)); then
    return "$STATUS_TIMED_OUT"
  fi
  # The PKGBUILD's own exit status must not pass for one of the farm's.
  if ((status == STATUS_TIMED_OUT || status == STATUS_ENVIRONMENT)); then
    return "$STATUS_FAILED"
  fi
  return "$status"
}

finish_build() {
  local packages versions=() file status=0
  if [[ -f .CI/on-success.sh ]]; then
    say "Running .CI/on-success.sh"
    run_hook on-success.sh /dev/null || status=$?
    ((status == 0)) \
      || fail "$STATUS_FAILED" "on-success" ".CI/on-success.sh of $PKGBASE ended with status $status" "correct the script, or what it checks"
    applied "on-success.sh"
  fi
  remove_fillers
  remove_foreign_files
  mapfile -d '' -t packages < <(list_packages)
  ((${#packages[@]} > 0)) \
    || fail "$STATUS_FAILED" "packaging" "makepkg succeeded but left no package in $PKGOUT" "look at PKGDEST and PKGEXT in the PKGBUILD"
  analyse_packages "${packages[@]}"
  for file in "${packages[@]}"; do
    versions+=("$(package_field "$file" pkgver)")
    finish_package "$file"
  done
  note_bump "${versions[@]}"
  say "Built: $PKGBASE, ${#packages[@]} package(s)"
}

report_failure() {
  local status=$1
  case $status in
    "$STATUS_TIMED_OUT")
      complain "makepkg" "$PKGBASE ran longer than $TIME_LIMIT s and was ended (timed out)" "make the build quicker, or raise BUILDER_TIMEOUT or the package's BUILDER_EXTRA_TIMEOUT"
      ;;
    "$CI_CODE_SKIP")
      say "Skipped: the PKGBUILD of $PKGBASE asked for it (status $status)"
      return 0
      ;;
    8) complain "makepkg" "dependencies of $PKGBASE could not be resolved (status 8)" "build them first, or correct depends and makedepends" ;;
    137) complain "makepkg" "$PKGBASE was killed (status 137)" "see whether the memory limit is too low" ;;
    *) complain "makepkg" "$PKGBASE ended with status $status" "the lines above say why" ;;
  esac
  if [[ -f .CI/on-failure.sh ]]; then
    say "Running .CI/on-failure.sh"
    if CAUR_EXIT_STATUS=$status run_hook on-failure.sh /dev/null; then
      applied "on-failure.sh"
    else
      warn ".CI/on-failure.sh of $PKGBASE failed as well"
    fi
  fi
}

main "$@"
