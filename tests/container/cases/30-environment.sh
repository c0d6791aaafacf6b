# shellcheck shell=bash
# Source cache, ownership, git, repositories, keyrings, tools.
# shellcheck disable=SC2034  # the harness reads what is set here

case_30_source_cache() {
  cp -r "$SOURCE/caur-demo-vcs-git" "$SOURCE/test-cached"
  mkdir -p "$SOURCE/test-cached/.CI"
  printf 'BUILDER_CACHE_SOURCES=true\n' >"$SOURCE/test-cached/.CI/config"
  local now
  now=$(date +%s)

  build caur-demo-vcs-git
  check "cache: sources are not kept by default" same "$(ls -A "$CACHE")" .timestamp
  check "cache: timestamp is written" test "$(<"$CACHE/.timestamp")" -ge "$now"

  build test-cached
  check "cache: sources are kept where asked for" test -d "$CACHE/caur-demo-vcs"
  printf '%s\n' "$((now - 29 * 86400))" >"$CACHE/.timestamp"
  touch "$CACHE/mark"
  rebuild test-cached
  check "cache: used again within a month" test -e "$CACHE/mark"
  check "cache: timestamp is renewed" test "$(<"$CACHE/.timestamp")" -ge "$now"
  printf '%s\n' "$((now - 31 * 86400))" >"$CACHE/.timestamp"
  rebuild test-cached
  check "cache: dropped after a month" test ! -e "$CACHE/mark"
  check "cache: build goes on after that" same "$STATUS" 0

  sed -i "s/sha256sums=('SKIP')/sha256sums=('SKIP' '$(printf '0%.0s' {1..64})')/; s|^source=(|source=('file.txt' |; s/sha256sums=('SKIP' \\(.*\\))/sha256sums=(\\1 'SKIP')/" "$SOURCE/test-cached/PKGBUILD"
  echo wrong >"$SOURCE/test-cached/file.txt"
  rebuild test-cached
  check "cache: refused sources fail the build" same "$STATUS" 1
  check "cache: refused sources are not kept" same "$(ls -A "$CACHE")" .timestamp
}

case_31_ownership() {
  prepare_build owner
  chown 12345:12345 "$OUT" "$CACHE" "$TEMP"
  SOURCE_MODE=:ro
  rebuild caur-demo-split
  SOURCE_MODE=
  check "read-only sources are enough" same "$STATUS" 0
  check "results belong to the owner of the mount" same "$(stat -c %u:%g "$OUT" "$OUT"/*.zst "$CACHE/.timestamp" | sort -u)" 12345:12345
}

case_32_git() {
  local upstream=$SCRATCH/upstream
  cp -r "$SOURCE" "$upstream"
  git -C "$upstream" reset -q --hard
  git -C "$upstream" clean -qffdx
  local clone=$SCRATCH/clone git=(-v "$upstream:/upstream:ro" -e PACKAGE_REPO_ID=demo -e PACKAGE_REPO_URL=file:///upstream)
  mkdir "$clone"
  SOURCE_MOUNT=$clone
  build caur-demo-split "${git[@]}"
  check "git: cloned and built" same "$STATUS" 0
  check "git: names the commit" log_says "Source commit: $(git -C "$upstream" rev-parse HEAD)"

  sed -i 's/^pkgrel=.*/pkgrel=9/' "$upstream/caur-demo-split/PKGBUILD"
  git -C "$upstream" -c user.name=t -c user.email=t@example.org commit -qam "new release"
  build caur-demo-split "${git[@]}"
  check "git: updated" same "$(outputs)" \
    "caur-demo-split-cli-1:2.1-9-any.pkg.tar.zst caur-demo-split-data-1:2.1-9-any.pkg.tar.zst"

  build caur-demo-split -e PACKAGE_REPO_ID=demo -e PACKAGE_REPO_URL=file:///gone
  SOURCE_MOUNT=$SOURCE
  check "git: a failed fetch is an error" same "$STATUS" 75
  check "git: nothing stale is built" same "$(outputs)" ""
  check "git: clear line" log_says "==> ERROR: git failed: fetching demo from file:///gone"
}

# A throwaway key, a keyring package that holds it, and a signed repository with the library.
make_signed_repository() {
  export GNUPGHOME=$SCRATCH/gnupg
  local fingerprint repo=$SCRATCH/shared/signed/x86_64
  mkdir -m 700 "$GNUPGHOME"
  mkdir -p "$repo" "$SOURCE/test-keyring"
  gpg -q --batch --passphrase '' --quick-generate-key 'Throwaway <throwaway@example.org>' ed25519 sign never
  fingerprint=$(gpg --list-keys --with-colons | awk -F: '$1 == "fpr" { print $10; exit }')
  gpg --export >"$SOURCE/test-keyring/caur-test.gpg"
  printf '%s:4:\n' "$fingerprint" >"$SOURCE/test-keyring/caur-test-trusted"
  package test-keyring <<'END'
package() {
  install -Dm644 -t "$pkgdir/usr/share/pacman/keyrings" "$startdir"/caur-test{.gpg,-trusted}
}
END
  build test-keyring
  cp "$OUT"/*.zst "$SCRATCH/shared/"
  cp "$SCRATCH/shared"/caur-demo-lib-*.zst "$repo/"
  gpg -q --detach-sign "$repo"/*.zst
  (cd "$repo" && repo-add -q --sign signed.db.tar.zst ./*.zst)
}

case_33_signed_repository() {
  local repo=$'[signed]\nSigLevel = Required\nServer = file:///shared/signed/$arch'
  check "signed repository: made" make_signed_repository
  local keyring=(-e "EXTRA_PACMAN_KEYRINGS=file:///shared/test-keyring-1.0-1-x86_64.pkg.tar.zst")
  build caur-demo-app -e "EXTRA_PACMAN_REPOS=$repo" "${keyring[@]}"
  check "keyring: installed" log_says "==> [caur] Keyrings installed: caur-test"
  check "signed repository: dependency installed, program built" same "$STATUS" 0
  check "signed repository: result" same "$(outputs)" caur-demo-app-1.0-1-x86_64.pkg.tar.zst

  build caur-demo-app -e "EXTRA_PACMAN_REPOS=$repo"
  check "without the keyring: refused" same "$STATUS" 75
  check "without the keyring: clear line" log_says "==> ERROR: pacman failed: synchronising and upgrading"
  build caur-demo-app -e "EXTRA_PACMAN_REPOS=$repo" -e EXTRA_PACMAN_KEYRINGS=file:///shared/none.pkg.tar.zst
  check "missing keyring package: refused" same "$STATUS" 75
  check "missing keyring package: clear line" log_says "==> ERROR: keyring failed: installing file:///shared/none.pkg.tar.zst"

  printf 'x' >>"$SCRATCH/shared/signed/x86_64/caur-demo-lib-1.2.0-1-x86_64.pkg.tar.zst"
  build caur-demo-app -e "EXTRA_PACMAN_REPOS=$repo" "${keyring[@]}"
  check "altered package: refused" same "$STATUS" 8
}

case_34_other_repositories() {
  build caur-demo-app
  check "unresolved dependency: status 8" same "$STATUS" 8
  check "unresolved dependency: clear line" log_says "dependencies of caur-demo-app could not be resolved"

  local repo=$'[fresh]\nSigLevel = Never\nServer = file:///shared/fresh/$arch'
  build caur-demo-lib -e "EXTRA_PACMAN_REPOS=$repo"
  check "repository without a database: built" same "$STATUS" 0
  check "repository without a database: said" log_says "repository fresh has no database yet"
  mkdir -p "$SCRATCH/shared/fresh/x86_64"
  bsdtar -cf - -T /dev/null | zstd -q >"$SCRATCH/shared/fresh/x86_64/fresh.db"
  build caur-demo-lib -e "EXTRA_PACMAN_REPOS=$repo"
  check "repository with an empty database: built" same "$STATUS" 0
  check "repository with an empty database: used" log_says "Synchronising pacman repositories: fresh"
  build caur-demo-lib -e "EXTRA_PACMAN_REPOS=${repo/Never/Sometimes}"
  check "unreadable EXTRA_PACMAN_REPOS: refused" same "$STATUS" 75
}

# The tools that names and options ask for come from a repository of packages that stand for them,
# as the test image's distribution has no pacman packages of its own.
case_35_tools() {
  local repo=$SCRATCH/shared/tools/x86_64 extra=$'[tools]\nSigLevel = Never\nServer = file:///shared/tools/$arch' tool
  mkdir -p "$repo"
  for tool in breezy ccache mercurial multilib-devel subversion; do
    package "$tool" <<'END'
package() {
  declare -A programs=([breezy]=bzr [ccache]=ccache [mercurial]=hg [multilib-devel]=multilib [subversion]=svn)
  install -d "$pkgdir/usr/bin"
  printf '#!/bin/sh\nexec "$@"\n' >"$pkgdir/usr/bin/${programs[$pkgname]}"
  chmod 755 "$pkgdir/usr/bin/${programs[$pkgname]}"
}
END
    build "$tool"
    cp "$OUT"/*.zst "$repo/"
  done
  (cd "$repo" && repo-add -q tools.db.tar.zst ./*.zst)

  package lib32-test-tools <<'END'
pkgbase=lib32-test-tools
pkgname=(lib32-test-tools test-tools-{git,svn,bzr,hg})
options=(ccache)
unset -f package
for name in "${pkgname[@]}"; do
  eval "package_$name() { mkdir -p \"\$pkgdir/usr/share/test\"; }"
done
END
  sed -i 's/^pkgname=lib32-test-tools$/pkgbase=lib32-test-tools/' "$SOURCE/lib32-test-tools/PKGBUILD"
  build lib32-test-tools -e "EXTRA_PACMAN_REPOS=$extra"
  check "tools: built" same "$STATUS" 0
  check "tools: subversion for -svn" log_says "subversion installed for test-tools-svn"
  check "tools: breezy for -bzr" log_says "breezy installed for test-tools-bzr"
  check "tools: mercurial for -hg" log_says "mercurial installed for test-tools-hg"
  check "tools: git for -git is there already" not log_says "git installed for"
  check "tools: multilib-devel for lib32-" log_says "multilib-devel installed for lib32-test-tools"
  check "tools: ccache where options ask for it" log_says "ccache installed for option ccache"

  package test-nothing-svn </dev/null
  build test-nothing-svn
  check "tools: one that no repository has is an error" same "$STATUS" 75
  check "tools: clear line" log_says "==> ERROR: interfere failed: installing subversion for test-nothing-svn"
}

# The test image's distribution has no namcap: a program that prints its arguments stands for it.
case_36_namcap() {
  printf '#!/bin/sh\nprintf "analysed %%s\\n" "$@"\n' >"$SCRATCH/namcap"
  chmod 755 "$SCRATCH/namcap"
  build caur-demo-lib -v "$SCRATCH/namcap:/usr/bin/namcap:ro"
  check "namcap: report in tempOut" grep -q '^analysed .*/caur-demo-lib-1.2.0-1-x86_64.pkg.tar$' "$TEMP/caur-demo-lib.namcap"
}
