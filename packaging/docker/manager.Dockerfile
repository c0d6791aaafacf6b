# The manager image: `/entry_point.sh ARGS…` runs `caur-daemon ARGS…`. Deployed CI starts it with
# bash, writes the key to /app/sshkey first, and calls the entry point itself.
#
#   docker build -f packaging/docker/manager.Dockerfile --build-arg BINARY=target/release/caur-daemon .
#
# BASE may be any image; programs that it has already are not installed, so that a base which holds
# all of them needs no network.
ARG BASE=docker.io/library/archlinux:base
FROM ${BASE}

RUN set -eu; \
    missing=; \
    for program in bash git gpg ssh; do \
      command -v "$program" >/dev/null || missing="$missing $program"; \
    done; \
    if [ -n "$missing" ]; then \
      if command -v pacman >/dev/null && [ -e /etc/arch-release ]; then \
        pacman -Syu --noconfirm --needed bash git gnupg openssh; \
        rm -rf /var/cache/pacman/pkg/*; \
      elif command -v apt-get >/dev/null; then \
        apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
          bash ca-certificates git gnupg openssh-client; \
        rm -rf /var/lib/apt/lists/*; \
      else \
        echo "the base image lacks$missing, and this build cannot install packages on it" >&2; \
        exit 1; \
      fi; \
    fi; \
    mkdir -p /app; \
    printf '#!/usr/bin/env bash\nexec caur-daemon "$@"\n' >/entry_point.sh; \
    chmod 755 /entry_point.sh

ARG BINARY=target/release/caur-daemon
COPY ${BINARY} /usr/bin/caur-daemon

WORKDIR /app
ENTRYPOINT ["/entry_point.sh"]
