#!/usr/bin/env bash
# Makes a base image a build image; run once by the Dockerfile. On Arch it installs what builds need,
# any other base has to bring makepkg, pacman and the compilers itself.
set -euo pipefail

if [[ -e /etc/arch-release ]]; then
  # pacman's download sandbox needs kernel features that containers often lack, and its user cannot
  # read every mounted repository; the container itself is the sandbox.
  sed -i -E 's/^DownloadUser/#&/' /etc/pacman.conf
  if ! grep -q '^\[multilib\]' /etc/pacman.conf; then
    printf '\n[multilib]\nInclude = /etc/pacman.d/mirrorlist\n' >>/etc/pacman.conf
  fi
  pacman -Sy --noconfirm --needed archlinux-keyring
  pacman -Su --noconfirm
  pacman -S --noconfirm --needed base-devel git namcap zstd
  rm -rf /var/cache/pacman/pkg/*
fi

# Arch asks for signatures; on other bases an extra repository must not get by without them either.
if ! grep -q '^SigLevel' /etc/pacman.conf; then
  sed -i 's/^\[options\]$/&\nSigLevel = Required DatabaseOptional/' /etc/pacman.conf
fi

# Free space as a container sees it says nothing about the host's.
sed -i -E 's/^CheckSpace/#&/' /etc/pacman.conf

if ! id builder &>/dev/null; then
  useradd --create-home --shell /bin/bash builder
fi
install -d -o builder -g builder /home/builder/{srcdest_cached,pkgout,tempOut,build,work}

mkdir -p /etc/sudoers.d
printf 'builder ALL=(root) NOPASSWD: %s\n' "$(type -P pacman)" >/etc/sudoers.d/builder
chmod 440 /etc/sudoers.d/builder

# Checkouts and mounts belong to the host's users; git would refuse them as of dubious ownership.
git config --system --replace-all safe.directory '*'
