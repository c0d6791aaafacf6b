# shellcheck shell=bash
# Every interfere, and the description of a package's own scripts.

case_20_every_interfere() {
  build caur-demo-interfere
  check "interfere: built" same "$STATUS" 0
  local file=$OUT/caur-demo-interfere-3.0-1.2-x86_64.pkg.tar.zst proof sum
  check "interfere: bump in name and version" same "$(pkginfo "$file" pkgver)" 3.0-1.2
  proof=$(bsdtar -xOqf "$file" usr/share/caur-demo-interfere/proof)
  check "interfere: -march=native removed" grep -qx 'flags=-O2 ' <<<"$proof"
  check "interfere: prepare" grep -qx 'prepared=by prepare' <<<"$proof"
  check "interfere: CAUR_PUSH runs as root" grep -qx 'pushed=by root' <<<"$proof"
  check "interfere: exports of prepare reach makepkg" grep -qx 'exported=by prepare, with spaces' <<<"$proof"
  check "interfere: patch" grep -qx 'patched=yes' <<<"$proof"
  check "interfere: prepend" grep -qx 'prepended=yes' <<<"$proof"
  check "interfere: append" grep -qx 'appended=yes' <<<"$proof"
  check "interfere: replaces stripped" same "$(pkginfo "$file" replaces)" ""
  check "interfere: groups stripped" same "$(pkginfo "$file" group)" ""
  check "interfere: on-success.sh" log_says "on-success.sh of caur-demo-interfere ran"
  check "interfere: BUILDER_EXTRA_TIMEOUT" log_says "Time limit of makepkg: 90 s"
  check "interfere: .CI/config is data" not log_says "config-was-run"
  check "interfere: all printed" grep -qE '^==> \[caur\] Interferes applied: -march=native removed, prepare, interfere.patch, PKGBUILD.prepend, PKGBUILD.append, on-success.sh, .*stripped.*, pkgrel bump to 3.0-1.2$' "$LOG"
  check "stripped package: metadata first, in order" same "$(bsdtar -tf "$file" | head -n 4 | paste -sd' ')" ".BUILDINFO .MTREE .PKGINFO usr/"
  check "stripped package: every name once" same "$(bsdtar -tf "$file" | sort | uniq -d)" ""
  check "stripped package: owned by root" same "$(bsdtar -tvf "$file" | awk '{ print $3, $4 }' | sort -u)" "root root"
  sum=$(bsdtar -xOqf "$file" .PKGINFO | sha256sum)
  check "stripped package: .MTREE is right" grep -q "^\./\.PKGINFO .*sha256digest=${sum%% *}" <(bsdtar -xOqf "$file" .MTREE | gzip -dc)
  check "stripped package: pacman reads it" pacman -Qp "$file"
}

case_21_allowed() {
  package test-allowed <<<"replaces=('old-name'); groups=('some-group')"
  printf 'BUILDER_ALLOW_PROHIBITED="true"\n' >"$SOURCE/test-allowed/.CI/config"
  build test-allowed
  check "BUILDER_ALLOW_PROHIBITED keeps replaces" same "$(pkginfo "$OUT"/*.zst replaces)" old-name
  check "BUILDER_ALLOW_PROHIBITED keeps groups" same "$(pkginfo "$OUT"/*.zst group)" some-group
}

case_22_bump() {
  package test-bump <<<'epoch=2'
  printf 'CI_PACKAGE_BUMP=2:1.0-1\n' >"$SOURCE/test-bump/.CI/config"
  build test-bump
  check "bump: with epoch, N defaults to 1" same "$(outputs)" test-bump-2:1.0-1.1-x86_64.pkg.tar.zst
  printf 'CI_PACKAGE_BUMP=1.0-1/4\n' >"$SOURCE/test-bump/.CI/config"
  build test-bump
  check "bump: of another version is left alone" same "$(outputs)" test-bump-2:1.0-1-x86_64.pkg.tar.zst
  check "bump: log says not applicable" log_says "==> [caur] Bump not applicable: it is for 1.0-1, built was 2:1.0-1"
  package test-bump <<<$'epoch=0\npkgrel=1.2'
  printf 'CI_PACKAGE_BUMP=1.0-1/3\n' >"$SOURCE/test-bump/.CI/config"
  build test-bump
  check "bump: the larger fraction of pkgrel counts, and an epoch of 0 does not" same "$(outputs)" test-bump-1.0-1.3-x86_64.pkg.tar.zst
  check "bump: it is told" log_says "pkgrel bump to 1.0-1.3"
  printf 'CI_PACKAGE_BUMP=1.0-1/2\n' >"$SOURCE/test-bump/.CI/config"
  build test-bump
  check "bump: a fraction is never lowered" same "$(outputs)" test-bump-1.0-1.2-x86_64.pkg.tar.zst
  package test-bump <<<'epoch=2'
  printf 'CI_PACKAGE_BUMP=nonsense\n' >"$SOURCE/test-bump/.CI/config"
  build test-bump
  check "bump: nonsense is a warning" log_says "CI_PACKAGE_BUMP of test-bump is 'nonsense'"
  check "bump: nonsense does not stop the build" same "$STATUS" 0

  local version
  version=$(git -C "$SOURCE/caur-demo-vcs-git/upstream.git" rev-parse --short=7 HEAD)
  mkdir -p "$SOURCE/caur-demo-vcs-git/.CI"
  printf 'CI_PACKAGE_BUMP=r2.%s-1/3\n' "$version" >"$SOURCE/caur-demo-vcs-git/.CI/config"
  build caur-demo-vcs-git
  rm -r "$SOURCE/caur-demo-vcs-git/.CI"
  check "bump: of a version that pkgver() finds" same "$(outputs)" "caur-demo-vcs-git-r2.$version-1.3-x86_64.pkg.tar.zst"
}

case_23_scripts_of_a_package() {
  package test-prepare </dev/null
  printf 'echo before\nfalse || true\ngrep -q nothing /dev/null\necho after\n' >"$SOURCE/test-prepare/.CI/prepare"
  build test-prepare
  check "failing prepare: status 1" same "$STATUS" 1
  check "failing prepare: names the line" log_says "==> ERROR: .CI/prepare failed: line 3: grep -q nothing /dev/null (status 1)"
  check "failing prepare: stops there" not log_says after
  # shellcheck disable=SC2016  # for the script
  printf '$CAUR_PUSH "exit 5"\n' >"$SOURCE/test-prepare/.CI/prepare"
  build test-prepare
  check "failing CAUR_PUSH: status 1" same "$STATUS" 1
  # shellcheck disable=SC2016  # for the script
  printf '$CAUR_PUSH '"'yes | head -n 1'"'\n[[ 1 == 2 ]] && echo no\n' >"$SOURCE/test-prepare/.CI/prepare"
  build test-prepare
  check "prepare: pipes and a last false test are no failure" same "$STATUS" 0
  rm "$SOURCE/test-prepare/.CI/prepare"

  printf -- '--- a/PKGBUILD\n+++ b/PKGBUILD\n@@ -1 +1 @@\n-nothing like this\n+at all\n' >"$SOURCE/test-prepare/.CI/interfere.patch"
  build test-prepare
  check "failing patch: not fatal" same "$STATUS" 0
  check "failing patch: reported" log_says "==> WARNING: [caur] interfere.patch of test-prepare did not apply"
  rm "$SOURCE/test-prepare/.CI/interfere.patch"

  printf 'exit 3\n' >"$SOURCE/test-prepare/.CI/on-success.sh"
  build test-prepare
  check "failing on-success.sh: fails the build" same "$STATUS" 1
  check "failing on-success.sh: nothing to upload" same "$(outputs)" ""
}

case_24_settings() {
  package test-settings <<'END'
build() {
  printf 'makeflags %s\n' "$MAKEFLAGS"
  printf 'user %s in %s\n' "$(id -un)" "$PWD"
  # What a build leaves in pkgout beside its packages must not be uploaded.
  echo evil >"$PKGDEST/evil.txt"
  ln -s /etc/shadow "$PKGDEST/evil-1-1-any.pkg.tar"
}
END
  # shellcheck disable=SC2016  # for the script
  printf '$CAUR_PUSH "head -n 1 /etc/pacman.d/mirrorlist"\n' >"$SOURCE/test-settings/.CI/prepare"
  mkdir -p "$SCRATCH/build-dir/test-settings"
  touch "$SCRATCH/build-dir/test-settings/left-over"
  build test-settings -e MAKEFLAGS=-j7 -e "PACKAGER=Some One <one@example.org>" \
    -e PACMAN_REPO=https://mirror.example.org/x -v "$SCRATCH/build-dir:/home/builder/build"
  check "MAKEFLAGS reaches the build" log_says "makeflags -j7"
  check "makepkg runs as builder in the build dir" log_says "user builder in /home/builder/build/test-settings/src"
  check "PACKAGER can be set" same "$(pkginfo "$OUT"/*.zst packager)" "Some One <one@example.org>"
  check "PACMAN_REPO comes first in the mirrorlist" log_says "Server = https://mirror.example.org/x"
  check "mounted build dir: left-overs removed" test ! -e "$SCRATCH/build-dir/test-settings/left-over"
  check "foreign files never leave pkgout" same "$(outputs)" test-settings-1.0-1-x86_64.pkg.tar.zst
  check "no debug package option" grep -q '^options = !debug' <(bsdtar -xOqf "$OUT"/*.zst .BUILDINFO)
}

case_25_collection() {
  build caur-demo-impostor
  check "impostor: builds, under another name than its folder" same "$(outputs)" pacman-99.0-1-x86_64.pkg.tar.zst
  check "materialise: the same commit every time" same \
    "$("$ROOT/tests/packages/materialise" "$SCRATCH/once")" "$("$ROOT/tests/packages/materialise" "$SCRATCH/twice")"
  check "materialise: clean checkout" same "$(git -C "$SCRATCH/once" status --porcelain)" ""
  check "materialise: refuses a folder that is not empty" not "$ROOT/tests/packages/materialise" "$SCRATCH/once"

  prepare_build srcinfo
  # shellcheck disable=SC2016  # for the container's shell
  container --entrypoint bash -- -c 'chown -R builder: /pkgbuilds && cd /pkgbuilds && for folder in caur-demo-*; do
    (cd "$folder" && sudo -n -u builder makepkg --printsrcinfo | cmp - .SRCINFO) || exit 1; done'
  chown -R 0:0 "$SOURCE"
  check ".SRCINFO of the demo packages is what makepkg prints" same "$STATUS" 0
}
