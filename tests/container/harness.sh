# shellcheck shell=bash
# What the container tests share: a scratch folder, builds in containers, named checks.
# shellcheck disable=SC2034  # the cases read what is set here

PASSED=0
FAILED=0
# Of the last build: exit status, output, folders of its mounts.
STATUS=
LOG=
OUT=
TEMP=
CACHE=
ELAPSED=
# The folder that is mounted as /pkgbuilds, and ":ro" for a read-only mount.
SOURCE_MOUNT=
SOURCE_MODE=

start_harness() {
  SCRATCH=$(mktemp -d /tmp/caur-ct.XXXXXX)
  trap stop_harness EXIT
  engine_start
  image_ensure
  # Packages as the manager mounts them: the demo collection, and those that single cases write.
  SOURCE=$SCRATCH/source
  SOURCE_MOUNT=$SOURCE
  "$ROOT/tests/packages/materialise" "$SOURCE" >/dev/null
  mkdir "$SCRATCH/shared"
}

stop_harness() {
  local status=$?
  set +e
  if [[ -d $SCRATCH/gnupg ]]; then
    GNUPGHOME=$SCRATCH/gnupg gpgconf --kill all
  fi
  rm -rf "$SCRATCH"
  engine_stop
  exit "$status"
}

finish_harness() {
  printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
  ((FAILED == 0 && PASSED > 0))
}

run_case() {
  local begin=$SECONDS
  "$1"
  printf '# %s took %d s\n' "$1" "$((SECONDS - begin))"
}

# check NAME COMMAND...: the command's success is the check's.
check() {
  local name=$1
  shift
  if "$@" >"$SCRATCH/check.log" 2>&1; then
    PASSED=$((PASSED + 1))
    printf 'ok %s\n' "$name"
  else
    FAILED=$((FAILED + 1))
    printf 'not ok %s\n' "$name"
    printf '#   command: %s\n' "$*"
    sed 's/^/#   /' "$SCRATCH/check.log"
    [[ ! -f $LOG ]] || tail -n 15 "$LOG" | sed 's/^/#   log: /'
  fi
}

not() {
  ! "$@"
}

same() {
  [[ $1 == "$2" ]] || {
    printf 'have: %s\nwant: %s\n' "$1" "$2"
    return 1
  }
}

log_says() {
  grep -qF -- "$1" "$LOG"
}

# prepare_build NAME: empty mounts for the next build.
prepare_build() {
  local folder
  folder=$(mktemp -d "$SCRATCH/$1.XXXX")
  OUT=$folder/out TEMP=$folder/temp CACHE=$folder/cache LOG=$folder/log
  mkdir "$OUT" "$TEMP" "$CACHE"
  chmod 755 "$folder"
}

# container DOCKER_ARGUMENT... -- IMAGE_ARGUMENT...: runs the image on the prepared mounts.
container() {
  local options=() begin=$SECONDS
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  STATUS=0
  docker run --rm --network none -v "$SOURCE_MOUNT:/pkgbuilds$SOURCE_MODE" -v "$OUT:/home/builder/pkgout" \
    -v "$TEMP:/home/builder/tempOut" -v "$CACHE:/home/builder/srcdest_cached" \
    -v "$SCRATCH/shared:/shared:ro" -e BUILDER_HOSTNAME=test-builder -e BUILDER_TIMEOUT=60 \
    "${options[@]}" "$IMAGE_NAME" "$@" >"$LOG" 2>&1 || STATUS=$?
  ELAPSED=$((SECONDS - begin))
}

# build PKGBASE DOCKER_ARGUMENT...: one build on empty mounts.
build() {
  prepare_build "$1"
  container "${@:2}" -- build "$1"
}

# rebuild PKGBASE DOCKER_ARGUMENT...: one build on the mounts of the last one.
rebuild() {
  container "${@:2}" -- build "$1"
}

# The names in pkgout, on one line.
outputs() {
  (cd "$OUT" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | paste -sd' ')
}

# pkginfo PACKAGE_FILE KEY
pkginfo() {
  bsdtar -xOqf "$1" .PKGINFO | sed -nE "s/^$2 = //p"
}

# package NAME: writes a small package into the source repository; standard input adds to its PKGBUILD.
package() {
  mkdir -p "$SOURCE/$1/.CI"
  {
    printf "pkgname=%q\npkgver=1.0\npkgrel=1\npkgdesc='Made by the tests'\narch=('x86_64')\nlicense=('GPL-3.0-or-later')\n" "$1"
    # shellcheck disable=SC2016  # for the PKGBUILD
    printf 'package() {\n  mkdir -p "$pkgdir/usr/share/test"\n}\n'
    cat
  } >"$SOURCE/$1/PKGBUILD"
}
