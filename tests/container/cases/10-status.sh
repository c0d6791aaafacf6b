# shellcheck shell=bash
# Exit statuses and refusals.
# shellcheck disable=SC2153  # STATUS is set by the harness

case_10_built() {
  build caur-demo-lib
  check "library: built" same "$STATUS" 0
  check "library: one compressed package" same "$(outputs)" caur-demo-lib-1.2.0-1-x86_64.pkg.tar.zst
  check "library: valid zstd" zstd -qt "$OUT"/*.zst
  check "library: provides its soname" same "$(pkginfo "$OUT"/*.zst provides)" libcaur_demo.so=1-64
  check "log names package and builder" log_says "==> [caur] Building caur-demo-lib on test-builder"
  check "log says built" log_says "==> [caur] Built: caur-demo-lib, 1 package(s)"
  check "log says that no interfere was applied" log_says "==> [caur] Interferes applied: none"
  check "default packager" same "$(pkginfo "$OUT"/*.zst packager)" "Caur <caur@localhost>"
  cp "$OUT"/*.zst "$SCRATCH/shared/"
}

case_11_already_built() {
  prepare_build lib
  touch "$OUT"/{caur-demo-lib-1.2.0-1-x86_64,other-1-1-any}.pkg.tar
  rebuild caur-demo-lib
  check "filler: status 13" same "$STATUS" 13
  check "filler: deleted" same "$(outputs)" ""
  check "filler: log says already built" log_says "==> [caur] Already built:"

  prepare_build lib
  touch "$OUT"/{caur-demo-lib-1.1.0-1-x86_64,other-1-1-any}.pkg.tar
  rebuild caur-demo-lib
  check "filler of an older version: built" same "$STATUS" 0
  check "fillers of other packages: deleted" same "$(outputs)" caur-demo-lib-1.2.0-1-x86_64.pkg.tar.zst
}

case_12_split() {
  build caur-demo-split
  check "split: built" same "$STATUS" 0
  check "split: both packages" same "$(outputs)" \
    "caur-demo-split-cli-1:2.1-3-any.pkg.tar.zst caur-demo-split-data-1:2.1-3-any.pkg.tar.zst"
  check "split: pkgbase" same "$(pkginfo "$OUT"/*cli*.zst pkgbase)" caur-demo-split
  prepare_build split
  touch "$OUT"/caur-demo-split-{cli,data}-1:2.1-3-any.pkg.tar
  rebuild caur-demo-split
  check "split: both fillers: status 13" same "$STATUS" 13
}

case_13_vcs() {
  build caur-demo-vcs-git
  check "vcs: built" same "$STATUS" 0
  check "vcs: version from the repository" log_says "==> Updated version: caur-demo-vcs-git r2."
  check "vcs: newest commit" same "$(bsdtar -xOqf "$OUT"/*.zst usr/bin/caur-demo-vcs | tail -n 1)" 'echo "caur-demo-vcs, second"'
}

case_14_skipped() {
  build caur-demo-skips
  check "skip: status 123" same "$STATUS" 123
  check "skip: log says so" log_says "==> [caur] Skipped: .CI/prepare of caur-demo-skips"
  build caur-demo-skips -e CI_CODE_SKIP=99
  check "skip: status of CI_CODE_SKIP" same "$STATUS" 99
}

case_15_failed() {
  build caur-demo-fails
  check "compile failure: status of makepkg" same "$STATUS" 4
  check "compile failure: nothing to upload" same "$(outputs)" ""
  check "compile failure: clear line" log_says "==> ERROR: makepkg failed: caur-demo-fails ended with status 4"
  check "on-failure.sh ran" log_says "on-failure.sh of caur-demo-fails ran, status 4"
}

case_16_timed_out() {
  build caur-demo-hangs -e BUILDER_TIMEOUT=2
  check "timeout: status 124" same "$STATUS" 124
  check "timeout: clear line" log_says "==> ERROR: makepkg failed: caur-demo-hangs ran longer than 2 s and was ended (timed out)"
  check "timeout: ends in time" test "$ELAPSED" -lt 15

  package test-stubborn <<'END'
build() {
  trap '' TERM
  while true; do sleep 1; done
}
END
  build test-stubborn -e BUILDER_TIMEOUT=2 -e BUILDER_KILL_GRACE=2
  check "timeout of a build that ignores TERM: status 124" same "$STATUS" 124

  package test-patient <<<'build() { sleep 3; }'
  printf 'BUILDER_EXTRA_TIMEOUT=7.5\n' >"$SOURCE/test-patient/.CI/config"
  build test-patient -e BUILDER_TIMEOUT=2
  check "BUILDER_EXTRA_TIMEOUT multiplies" same "$STATUS" 0
  check "BUILDER_EXTRA_TIMEOUT may be decimal" log_says "Time limit of makepkg: 15 s"

  package test-pretends <<<'exit 124'
  build test-pretends
  check "a PKGBUILD cannot pretend a timeout" same "$STATUS" 1
}

case_17_refused() {
  build no-such-package
  check "missing folder: status 1" same "$STATUS" 1
  check "missing folder: clear line" log_says "==> ERROR: sources failed: there is no folder no-such-package"
  mkdir -p "$SOURCE/test-empty"
  build test-empty
  check "missing PKGBUILD: status 1" same "$STATUS" 1
  check "missing PKGBUILD: clear line" log_says "==> ERROR: sources failed: the folder test-empty holds no PKGBUILD"
  prepare_build refused
  container -- build ../etc
  check "invalid pkgbase: status 1" same "$STATUS" 1
  check "invalid pkgbase: clear line" log_says "'../etc' is not a valid pkgbase"
  container -- destroy x
  check "unknown command: status 1" same "$STATUS" 1
  container -e BUILDER_TIMEOUT=soon -- build caur-demo-lib
  check "bad BUILDER_TIMEOUT: status 1" same "$STATUS" 1
  check "bad BUILDER_TIMEOUT: clear line" log_says "BUILDER_TIMEOUT is 'soon'"
}

case_18_stopped() {
  prepare_build hangs
  local id begin status
  id=$(docker run -d --network none -v "$SOURCE:/pkgbuilds" -v "$OUT:/home/builder/pkgout" "$IMAGE_NAME" build caur-demo-hangs)
  # shellcheck disable=SC2016  # for the inner shell
  timeout 30 bash -c 'until docker logs "$0" 2>&1 | grep -q "never comes"; do sleep 0.2; done' "$id"
  begin=$SECONDS
  docker stop -t 20 "$id" >/dev/null
  check "stopping ends the container at once" test "$((SECONDS - begin))" -lt 10
  status=$(docker inspect -f '{{.State.ExitCode}}' "$id")
  check "stopping: status 143" same "$status" 143
  docker rm -f "$id" >/dev/null
}
