# shellcheck shell=bash
# The interferes: what the farm changes in a build environment and in a PKGBUILD before makepkg.
# Sourced by build.sh; works in the package's copy ($START). Every interfere that took effect is
# noted in APPLIED, which the end of the log prints.

APPLIED=()
# Tools installed by now: package name to the reason for it.
declare -A TOOLS=()
# Version that makepkg has to produce for the pkgrel bump to count as applied.
BUMPED_VERSION=

applied() {
  APPLIED+=("$1")
  say "Interfere: $1"
}

# The values of an array of the PKGBUILD as it is now, one a line; nothing where it cannot be read
# yet, as a later interfere may be what repairs it. `makepkg --printsrcinfo` is no help here: it
# refuses to work before the tools that this is about are installed.
# pkgbuild_values ARRAY
pkgbuild_values() {
  # shellcheck disable=SC2016  # expanded by the inner shell, which runs as builder like makepkg
  as_builder timeout --kill-after=5 60 bash -c '
    array=$1[@] startdir=$PWD srcdir=$PWD/src pkgdir=$PWD/pkg
    exec 3>&1 >/dev/null 2>&1
    source /etc/makepkg.conf
    source ./PKGBUILD
    [[ -z ${!array} ]] || printf "%s\n" "${!array}" >&3' - "$1" || true
}

# add_tool REASON PROGRAM PACKAGE: installs PACKAGE unless PROGRAM is there already.
add_tool() {
  local reason=$1 program=$2 package=$3
  if [[ -n $program ]] && type -P "$program" >/dev/null; then
    return 0
  fi
  if [[ -v TOOLS[$package] ]] || pacman -Q "$package" &>/dev/null; then
    return 0
  fi
  setup_step "interfere" "installing $package for $reason" \
    "check that a configured repository has $package" \
    pacman -S --noconfirm --needed --asdeps "$package"
  TOOLS[$package]=$reason
  applied "$package installed for $reason"
}

# Tools that a package's name or options ask for.
add_tools() {
  local name names=("$PKGBASE") options
  mapfile -t -O 1 names < <(pkgbuild_values pkgname)
  for name in "${names[@]}"; do
    case $name in
      *-git) add_tool "$name" git git ;;
      *-svn) add_tool "$name" svn subversion ;;
      *-bzr) add_tool "$name" bzr breezy ;;
      *-hg) add_tool "$name" hg mercurial ;;
    esac
    if [[ $name == lib32-* ]]; then
      add_tool "$name" "" multilib-devel
    fi
  done
  mapfile -t options < <(pkgbuild_values options)
  for name in "${options[@]}"; do
    if [[ $name == ccache ]]; then
      add_tool "option ccache" ccache ccache
    fi
  done
}

remove_native() {
  if grep -q -e '-march=native' PKGBUILD; then
    sed -i 's/-march=native//g' PKGBUILD
    applied "-march=native removed"
  fi
}

# Runs a script of .CI as root in the build folder; returns its status.
# run_hook NAME ENVIRONMENT_FILE
run_hook() {
  local status=0
  timeout --kill-after=10 "${BUILDER_SETUP_TIMEOUT:-1800}" \
    bash "$CAUR_LIB/hook.sh" ".CI/$1" "$2" || status=$?
  chown -R -h builder: "$START"
  return "$status"
}

run_prepare() {
  [[ -f .CI/prepare ]] || return 0
  local status=0
  say "Running .CI/prepare"
  run_hook prepare "$HOOK_ENVIRONMENT" || status=$?
  if ((status == CI_CODE_SKIP)); then
    say "Skipped: .CI/prepare of $PKGBASE asked for it (status $status)"
    exit "$CI_CODE_SKIP"
  elif ((status == STATUS_TIMED_OUT || status == 137)); then
    fail "$STATUS_FAILED" "interfere" ".CI/prepare of $PKGBASE did not end in time" "shorten it or raise BUILDER_SETUP_TIMEOUT"
  elif ((status != 0)); then
    fail "$STATUS_FAILED" "interfere" ".CI/prepare of $PKGBASE ended with status $status" "correct the script; $CI_CODE_SKIP skips the build on purpose"
  fi
  applied "prepare"
}

apply_patch() {
  [[ -f .CI/interfere.patch ]] || return 0
  if as_builder patch -Np1 --no-backup-if-mismatch -i .CI/interfere.patch; then
    applied "interfere.patch"
  else
    warn "interfere.patch of $PKGBASE did not apply; the build goes on without it, refresh or remove the patch"
  fi
}

join_pkgbuild() {
  local joined
  joined=$(mktemp)
  if [[ -f .CI/PKGBUILD.prepend ]]; then
    { cat .CI/PKGBUILD.prepend && printf '\n' && cat PKGBUILD; } >"$joined"
    cat "$joined" >PKGBUILD
    applied "PKGBUILD.prepend"
  fi
  if [[ -f .CI/PKGBUILD.append ]]; then
    { cat PKGBUILD && printf '\n' && cat .CI/PKGBUILD.append; } >"$joined"
    cat "$joined" >PKGBUILD
    applied "PKGBUILD.append"
  fi
  rm -f "$joined"
}

# CI_PACKAGE_BUMP=[epoch:]pkgver-pkgrel[/N]. The comparison is written into the PKGBUILD itself,
# because the version of a package with pkgver() is known only after makepkg has rewritten it.
# A PKGBUILD may have a fraction in its pkgrel: makepkg allows one, so the larger one counts.
bump_pkgrel() {
  local bump version count=1
  bump=$(config_value .CI/config CI_PACKAGE_BUMP)
  [[ -n $bump ]] || return 0
  if [[ ! $bump =~ ^(([0-9]+:)?[^:/[:space:]-]+-[0-9]+([.][0-9]+)?)(/([0-9]+))?$ ]]; then
    warn "CI_PACKAGE_BUMP of $PKGBASE is '$bump', not [epoch:]pkgver-pkgrel[/N]; no bump"
    return 0
  fi
  version=${BASH_REMATCH[1]}
  count=${BASH_REMATCH[5]:-1}
  if [[ ${version##*-} == *.* ]]; then
    warn "CI_PACKAGE_BUMP of $PKGBASE names '$version', whose pkgrel has a fraction already; makepkg allows one dot, no bump"
    return 0
  fi
  count=$((10#$count))
  if ((count == 0)); then
    return 0
  fi
  [[ $version == *:* ]] || version=0:$version
  # shellcheck disable=SC2016  # expanded when makepkg reads it
  {
    printf '\nif [[ "${epoch:-0}:$pkgver-${pkgrel%%%%.*}" == %q ]] \\\n' "$version"
    printf '  && [[ $pkgrel != *.* || 10#${pkgrel#*.} -lt %d ]]; then\n' "$count"
    printf '  pkgrel="${pkgrel%%%%.*}.%d"\nfi\n' "$count"
  } >>PKGBUILD
  # Versions of packages leave an epoch of 0 out.
  BUMPED_VERSION="${version#0:}.$count"
}

# Notes whether the bump took effect, from the versions that were built.
# note_bump VERSION...
note_bump() {
  [[ -n $BUMPED_VERSION ]] || return 0
  local version
  for version in "$@"; do
    if [[ $version == "$BUMPED_VERSION" ]]; then
      applied "pkgrel bump to $BUMPED_VERSION"
      return 0
    fi
  done
  say "Bump not applicable: it is for ${BUMPED_VERSION%.*}, built was $*"
}

interfere() {
  local before
  pacman_upgrade
  add_tools
  before=$(sha256sum PKGBUILD)
  remove_native
  run_prepare
  apply_patch
  join_pkgbuild
  bump_pkgrel
  chown -R -h builder: "$START"
  # What prepare, patch, prepend or append added may need a tool as well.
  if [[ $before != "$(sha256sum PKGBUILD)" ]]; then
    add_tools
  fi
}

print_interferes() {
  local list=
  printf -v list '%s, ' "${APPLIED[@]}"
  if ((${#APPLIED[@]} == 0)); then
    say "Interferes applied: none"
  else
    say "Interferes applied: ${list%, }"
  fi
}
