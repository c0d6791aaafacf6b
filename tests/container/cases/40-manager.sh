# shellcheck shell=bash
# The manager image: built on the local base without a network, started the way deployed CI does.

case_40_manager_image() {
  local context=$SCRATCH/manager image=caur-manager-test:latest said
  mkdir "$context"
  # shellcheck disable=SC2016  # for the script
  printf '#!/bin/sh\nprintf "daemon:"; printf " <%%s>" "$@"; echo\n[ ! -f /app/sshkey ] || cat /app/sshkey\nexit 7\n' >"$context/daemon"
  chmod 755 "$context/daemon"
  # shellcheck disable=SC2034  # read by check
  LOG=$SCRATCH/manager.log
  check "manager image: builds on the local base without a network" \
    docker build --network none -f "$ROOT/packaging/docker/manager.Dockerfile" \
    --build-arg "BASE=$(image_base_tag)" --build-arg BINARY=daemon -t "$image" "$context"
  STATUS=0
  said=$(docker run --rm --network none "$image" schedule --commit "a b" c) || STATUS=$?
  check "manager image: arguments reach caur-daemon as they are" same "$said" "daemon: <schedule> <--commit> <a b> <c>"
  check "manager image: exit status comes back" same "$STATUS" 7
  said=$(docker run --rm --network none --entrypoint bash "$image" -c 'echo "the key" >/app/sshkey; /entry_point.sh x' || true)
  check "manager image: started with bash, key in /app/sshkey" same "$said" $'daemon: <x>\nthe key'
  docker image rm -f "$image" >/dev/null
}
