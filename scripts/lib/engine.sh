# shellcheck shell=bash
# A container engine for development and tests.
#
#   engine_start   finds or starts an engine; exports DOCKER_HOST and CAUR_DOCKER_SOCKET
#   engine_stop    ends the private engine, unless another script still uses it or it is kept
#   engine_keep    leaves the private engine running after engine_stop
#   engine_end     ends the private engine even if it is kept
#
# In order: $CAUR_DOCKER_SOCKET, the system's engine, a private dockerd without network of its own
# (containers use --network host or none). Several scripts may share the private engine: each holds
# a shared lock on file descriptor 8, and the last one ends it. Only a daemon whose pid this file
# recorded is ever ended.
#
# shellcheck source-path=SCRIPTDIR source=say.sh
source "$(dirname "${BASH_SOURCE[0]}")/say.sh"

# Folder of the private engine's images and containers.
engine_data() {
  printf '%s/docker' "$(dev_state)"
}

# Folder of its sockets: a Unix socket path holds 107 bytes, and containerd adds names of its own.
engine_run() {
  local run
  run=$(engine_data)/run
  if ((${#run} > 60)); then
    run=/tmp/caur-docker-$(cksum <<<"$run" | cut -d' ' -f1)
  fi
  printf '%s' "$run"
}

engine_answers() {
  timeout 20 docker -H "unix://$1" info >/dev/null 2>&1
}

engine_use() {
  export CAUR_DOCKER_SOCKET=$1 DOCKER_HOST=unix://$1
}

engine_start() {
  type -P docker >/dev/null || die "docker is not installed" "run scripts/setup"
  ENGINE_PRIVATE=
  if [[ -n ${CAUR_DOCKER_SOCKET:-} ]]; then
    CAUR_DOCKER_SOCKET=${CAUR_DOCKER_SOCKET#unix://}
    engine_answers "$CAUR_DOCKER_SOCKET" \
      || die "no engine answers on CAUR_DOCKER_SOCKET=$CAUR_DOCKER_SOCKET" "start it, or unset the variable"
    engine_use "$CAUR_DOCKER_SOCKET"
  elif [[ -S /var/run/docker.sock ]] && engine_answers /var/run/docker.sock; then
    engine_use /var/run/docker.sock
  else
    engine_start_private
  fi
}

engine_start_private() {
  local data run pid
  data=$(engine_data)
  run=$(engine_run)
  [[ $EUID -eq 0 ]] \
    || die "no container engine is running, and only root can start one" "start Docker, join its group, or run as root"
  type -P dockerd >/dev/null || die "dockerd is not installed" "run scripts/setup"
  mkdir -p "$data"
  [[ -d $run ]] || mkdir -m 700 "$run"
  [[ -O $run && ! -L $run ]] || die "$run belongs to someone else" "remove it, or set CAUR_DEV_STATE to a shorter path"

  # Who holds the shared lock uses the engine; taking it first keeps others from ending it now.
  exec 8>"$data/users.lock"
  flock -s 8
  ENGINE_PRIVATE=$run
  (
    flock 7
    if engine_pid "$run" >/dev/null && engine_answers "$run/docker.sock"; then
      exit 0
    fi
    rm -f "$run/docker.sock" "$run/pid"
    # The daemon must not inherit the locks.
    setsid dockerd --data-root "$data/data" --exec-root "$run/exec" --pidfile "$run/pid" \
      -H "unix://$run/docker.sock" --iptables=false --ip6tables=false --bridge=none \
      >"$data/log" 2>&1 </dev/null 7>&- 8>&- &
    pid=$!
    for ((tenth = 0; tenth < 600; tenth++)); do
      if [[ -S $run/docker.sock ]] && engine_answers "$run/docker.sock"; then
        exit 0
      fi
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    tail -n 5 "$data/log" >&2
    exit 1
  ) 7>"$data/start.lock" || die "the private dockerd did not start" "see $data/log"
  engine_use "$run/docker.sock"
}

# Prints the pid of the private daemon if it is alive and is what was started.
engine_pid() {
  local pid
  [[ -f $1/pid ]] || return 1
  pid=$(<"$1/pid")
  [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "--pidfile $1/pid" || return 1
  printf '%s' "$pid"
}

engine_keep() {
  [[ -z ${ENGINE_PRIVATE:-} ]] || touch "$ENGINE_PRIVATE/keep"
}

engine_stop() {
  [[ -n ${ENGINE_PRIVATE:-} ]] || return 0
  flock -u 8
  if [[ ! -e $ENGINE_PRIVATE/keep ]] && flock -n 8; then
    engine_end_pid "$ENGINE_PRIVATE"
  fi
  exec 8>&-
  ENGINE_PRIVATE=
  unset CAUR_DOCKER_SOCKET DOCKER_HOST
}

engine_end() {
  local run
  run=$(engine_run)
  rm -f "$run/keep"
  engine_end_pid "$run"
}

# dockerd leaves mounts in its own folders behind (its data folder on itself, a network namespace),
# which could not be removed otherwise.
engine_unmount() {
  local folder point
  for folder in "$@"; do
    while IFS= read -r point; do
      umount -q "$point" || true
    done < <(awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/self/mounts | tac)
  done
}

engine_end_pid() {
  local pid tenth
  pid=$(engine_pid "$1") || return 0
  kill "$pid"
  for ((tenth = 0; tenth < 300; tenth++)); do
    if ! kill -0 "$pid" 2>/dev/null; then
      engine_unmount "$1" "$(engine_data)"
      return 0
    fi
    sleep 0.1
  done
  die "the private dockerd (pid $pid) did not end within 30 s" "look at $(engine_data)/log"
}
