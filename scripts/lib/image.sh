# shellcheck shell=bash
# The build image for machines without a container registry: Debian with pacman and makepkg, and
# the scripts of builder-container/ on top. Needs an engine (engine.sh).
#
#   image_ensure   makes caur-builder-test:latest where it is missing or out of date
#
# Two layers: caur-base:KEY is made by debootstrap and depends on the package list only; the test
# image carries a digest of builder-container/ as its label and is rebuilt when that differs.
#
# shellcheck source-path=SCRIPTDIR source=say.sh
source "$(dirname "${BASH_SOURCE[0]}")/say.sh"

IMAGE_NAME=caur-builder-test:latest
IMAGE_SUITE=bookworm
IMAGE_PACKAGES=(
  binutils ca-certificates fakeroot file gawk gcc git gnupg libarchive-tools libc6-dev make makepkg
  openssh-client pacman-package-manager patch sudo zstd
)
IMAGE_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../builder-container" && pwd)

image_digest() {
  sha256sum | cut -c1-16
}

image_base_tag() {
  printf 'caur-base:%s' "$(printf '%s\n' 1 "$IMAGE_SUITE" "${IMAGE_PACKAGES[@]}" | image_digest)"
}

# image_content BASE: the digest of everything that goes into the test image.
image_content() {
  (
    cd "$IMAGE_SOURCE" || exit 1
    printf '%s\n' "$1"
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  ) | image_digest
}

image_ensure() {
  local base content
  mkdir -p "$(dev_state)"
  (
    flock 9
    base=$(image_base_tag)
    if ! docker image inspect "$base" >/dev/null 2>&1; then
      image_make_base "$base"
    fi
    content=$(image_content "$base")
    if [[ $(docker image inspect -f '{{index .Config.Labels "caur.content"}}' "$IMAGE_NAME" 2>/dev/null) != "$content" ]]; then
      image_make_test "$base" "$content"
    fi
  ) 9>"$(dev_state)/image.lock"
}

image_make_test() {
  local log
  log=$(dev_state)/image.log
  say "Putting the build scripts into $IMAGE_NAME"
  # The private engine has no bridge, and nothing here needs a network.
  docker build --network none --build-arg "BASE=$1" --label "caur.content=$2" -t "$IMAGE_NAME" \
    "$IMAGE_SOURCE" >"$log" 2>&1 9>&- || {
    tail -n 20 "$log" >&2
    die "docker build of $IMAGE_NAME" "see $log"
  }
}

# The mirror that this machine uses for its own packages, so that whatever works for apt works here.
image_mirror() {
  type -P apt-get >/dev/null || return 0
  # shellcheck disable=SC2016  # apt's own format, not the shell's
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 2>/dev/null \
    | awk '$1 !~ /[-\/]/ && $2 == "main" && $3 ~ /^(https?|file):/ { print $3; exit }'
}

image_make_base() {
  local tag=$1 root log arguments=() mirror proxy keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ $EUID -eq 0 ]] || die "making $tag needs root (debootstrap)" "run scripts/setup as root once"
  type -P debootstrap >/dev/null || die "debootstrap is not installed" "run scripts/setup"
  log=$(dev_state)/debootstrap.log
  root=$(mktemp -d "$(dev_state)/root.XXXXXX")
  # shellcheck disable=SC2064  # the folder is known now
  trap "rm -rf --one-file-system '$root'" EXIT

  arguments=(--variant=minbase "--include=$(IFS=,; printf '%s' "${IMAGE_PACKAGES[*]}")")
  [[ ! -f $keyring ]] || arguments+=("--keyring=$keyring")
  mirror=$(image_mirror)
  if type -P apt-config >/dev/null; then
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    [[ -z $proxy || -n ${http_proxy:-} ]] || export http_proxy=$proxy
  fi
  say "Making the base image with debootstrap (about a minute)"
  if ! debootstrap "${arguments[@]}" "$IMAGE_SUITE" "$root" ${mirror:+"$mirror"} >"$log" 2>&1 9>&-; then
    # A mirror of this machine's release need not hold the image's.
    say "Again with debootstrap's own mirror"
    rm -rf --one-file-system "$root"
    mkdir "$root"
    if [[ -z $mirror ]] || ! debootstrap "${arguments[@]}" "$IMAGE_SUITE" "$root" >"$log" 2>&1 9>&-; then
      tail -n 5 "$log" >&2
      die "debootstrap could not make the base image" "see $log"
    fi
  fi
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/{doc,man,locale,info}/*
  # Nothing of this machine's network goes into the image.
  rm -f "$root"/etc/apt/sources.list "$root"/etc/resolv.conf "$root"/etc/hostname
  tar -C "$root" --numeric-owner --xattrs -cf - . 9>&- | docker import - "$tag" >/dev/null 9>&- \
    || die "docker could not import $tag" "check that its data folder has 1 GB of space"
}
