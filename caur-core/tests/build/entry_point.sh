#!/bin/bash
# Stands in for the build image's entry point: what it does depends on the pkgbase.
set -u
[[ $# -eq 2 && $1 == build ]] || exit 90
out=/home/builder/pkgout
echo "content: $(cat "/pkgbuilds/$2/PKGBUILD")"
case $2 in
  builds)
    echo data >"$out/builds-1-1-any.pkg.tar.zst"
    : >"$out/left-1-1-any.pkg.tar.zst"
    echo analysis >/home/builder/tempOut/builds.namcap
    ;;
  empty) ;;
  links) ln -s /etc/passwd "$out/links-1-1-any.pkg.tar.zst" ;;
  exit-*) exit "${2#exit-}" ;;
  late-*)
    sleep 1.5
    exit "${2#late-}"
    ;;
  waits*)
    # Goes on when the test says so, as late as that may be.
    echo ready
    until [[ -e /pkgbuilds/go ]]; do read -rt 0.1 <> <(:) || true; done
    echo "went on"
    ls -A /home/builder/srcdest_cached
    touch "/home/builder/srcdest_cached/$HOSTNAME"
    echo data >"$out/$2-1-1-any.pkg.tar.zst"
    echo analysis >"/home/builder/tempOut/$2.namcap"
    exit "$(cat /pkgbuilds/go)"
    ;;
  polite)
    trap 'exit 143' TERM
    echo ready
    while :; do read -rt 0.1 <> <(:) || true; done
    ;;
  stubborn)
    trap '' TERM
    echo ready
    while :; do read -rt 1 <> <(:) || true; done
    ;;
  floods)
    # 20 MiB in lines of 64 bytes, half of them through standard error, and no line end at the end.
    line=$(printf 'flood %057d' 0)
    yes "$line" | head -c 10485760
    yes "$line" | head -c 10485760 >&2
    printf 'last words'
    ;;
  starves)
    x=$(head -c 268435456 /dev/zero | tr '\0' x)
    exit "${#x}"
    ;;
  tells)
    env
    echo "files: $(ulimit -Sn) $(ulimit -Hn)"
    find "$out" -type f -printf 'filler: %f\n' | sort
    touch /repo_root/x 2>/dev/null && echo "repo_root can be written"
    touch /home/builder/srcdest_cached/kept /home/builder/build/made && echo "caches can be written"
    exit 13
    ;;
  *) exit 91 ;;
esac
