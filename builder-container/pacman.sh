# shellcheck shell=bash
# Makes pacman ready for a build: mirror, extra keyrings, extra repositories, databases.
# Sourced by build.sh. Works on Arch and on an image that has pacman but no repository of its own.

readonly PACMAN_CONF=/etc/pacman.conf

# makepkg lists the installed packages in .BUILDINFO, which needs a local database, however empty.
init_database() {
  local db
  db=$(pacman-conf DBPath)
  mkdir -p "$db/local" "$db/sync" /etc/pacman.d /var/cache/pacman/pkg
  if [[ ! -e $db/local/ALPM_DB_VERSION ]]; then
    printf '9\n' >"$db/local/ALPM_DB_VERSION"
  fi
}

# PACMAN_REPO goes first in the mirrorlist, as a whole line or as the bare address.
prefer_mirror() {
  [[ -n ${PACMAN_REPO:-} ]] || return 0
  local line=$PACMAN_REPO list=/etc/pacman.d/mirrorlist rest=
  [[ $line =~ ^[[:space:]]*Server[[:space:]]*= ]] || line="Server = $line"
  [[ ! -f $list ]] || rest=$(<"$list")
  printf '%s\n%s\n' "$line" "$rest" >"$list"
}

# Repositories that need signatures are of use only after their keyring packages are installed and
# trusted. The packages themselves cannot be checked yet: their address is the operator's word.
install_keyrings() {
  local keyrings=() keyring conf stamp installed import file
  read -r -d '' -a keyrings <<<"${EXTRA_PACMAN_KEYRINGS:-}" || true
  ((${#keyrings[@]} > 0)) || return 0

  conf=$(mktemp)
  printf '[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\nRemoteFileSigLevel = Never\n' >"$conf"
  # Files that the packages bring are newer than this one.
  stamp=$(mktemp)
  setup_step "keyring" "pacman-key --init" "check /etc/pacman.d/gnupg of the image" pacman-key --init
  for keyring in "${keyrings[@]}"; do
    say "Installing keyring $keyring"
    setup_step "keyring" "installing $keyring" "check EXTRA_PACMAN_KEYRINGS and that the address is reachable" \
      pacman -U --noconfirm --config "$conf" "$keyring"
  done

  # Distributions other than Arch build pacman-key with another folder for keyrings.
  import=$(sed -nE "s/^[[:space:]]*(local )?KEYRING_IMPORT_DIR=['\"]([^'\"]+)['\"].*/\\2/p" "$(type -P pacman-key)")
  import=${import:-/usr/share/pacman/keyrings}
  mkdir -p "$import" /usr/share/pacman/keyrings
  for file in /usr/share/pacman/keyrings/*; do
    [[ -e $file ]] || continue
    if [[ ! -e $import/${file##*/} ]]; then
      ln -s "$file" "$import/${file##*/}"
    fi
  done

  mapfile -t installed < <(find /usr/share/pacman/keyrings -name '*.gpg' -cnewer "$stamp" -printf '%P\n' | sed 's/\.gpg$//')
  rm -f "$conf" "$stamp"
  if ((${#installed[@]} == 0)); then
    fail "$STATUS_ENVIRONMENT" "keyring" "no .gpg file in /usr/share/pacman/keyrings after installing ${keyrings[*]}" "EXTRA_PACMAN_KEYRINGS must name keyring packages"
  fi
  setup_step "keyring" "pacman-key --populate ${installed[*]}" "check the keyring packages" \
    pacman-key --populate "${installed[@]}"
  say "Keyrings installed: ${installed[*]}"
}

add_repositories() {
  [[ -n ${EXTRA_PACMAN_REPOS:-} ]] || return 0
  printf '\n%s\n' "$EXTRA_PACMAN_REPOS" >>"$PACMAN_CONF"
  if ! pacman-conf --repo-list >/dev/null; then
    fail "$STATUS_ENVIRONMENT" "repositories" "pacman cannot read the configuration with EXTRA_PACMAN_REPOS" "correct the extra repositories of the target"
  fi
  drop_empty_repositories
}

# A local repository that has no database yet offers nothing, but would fail every synchronisation:
# the first build of a new target must work.
drop_empty_repositories() {
  local repo server servers usable
  while IFS= read -r repo; do
    usable=
    mapfile -t servers < <(pacman-conf --repo "$repo" Server 2>/dev/null)
    for server in "${servers[@]}"; do
      if [[ $server != file://* || -e ${server#file://}/$repo.db ]]; then
        usable=yes
      fi
    done
    if [[ -z $usable ]]; then
      warn "repository $repo has no database yet (${servers[*]:-no server}); it is left out of this build"
      awk -v section="[$repo]" '
        /^[[:space:]]*\[/ { line = $0; gsub(/[[:space:]]/, "", line); skip = (line == section) }
        !skip' "$PACMAN_CONF" >"$PACMAN_CONF.new"
      mv "$PACMAN_CONF.new" "$PACMAN_CONF"
    fi
  done < <(pacman-conf --repo-list)
}

# Brings databases and system up to date; with no repository configured there is nothing to do.
pacman_upgrade() {
  local repos
  mapfile -t repos < <(pacman-conf --repo-list)
  if ((${#repos[@]} == 0)); then
    say "No pacman repository is configured; dependencies must be in the image"
    return 0
  fi
  say "Synchronising pacman repositories: ${repos[*]}"
  if pacman -Q archlinux-keyring &>/dev/null; then
    # An image older than a new packager key could not verify the upgrade otherwise.
    setup_step "pacman" "updating archlinux-keyring" "check the mirror and the network" \
      pacman -Sy --noconfirm --needed archlinux-keyring
    setup_step "pacman" "upgrading the system" "check the mirror and the network" \
      pacman -Su --noconfirm
  else
    setup_step "pacman" "synchronising and upgrading (-Syu) with ${repos[*]}" \
      "check that the repositories and their signatures are in order" \
      pacman -Syu --noconfirm
  fi
}

setup_pacman() {
  init_database
  prefer_mirror
  install_keyrings
  add_repositories
}
