# shellcheck shell=bash
# Messages, exit statuses and the step runner that the build scripts share.
# Every line meant for a reader of the log starts with "==> [caur]", "==> WARNING:" or "==> ERROR:".

# Exit statuses of a build; anything else means that the package failed.
# shellcheck disable=SC2034  # used by the scripts that source this file
readonly STATUS_FAILED=1 STATUS_ALREADY_BUILT=13 STATUS_ENVIRONMENT=75 STATUS_TIMED_OUT=124

say() {
  printf '==> [caur] %s\n' "$*"
}

warn() {
  printf '==> WARNING: [caur] %s\n' "$*"
}

# complain STEP WHAT ADVICE
complain() {
  printf '==> ERROR: %s failed: %s; %s\n' "$1" "$2" "$3"
}

# fail STATUS STEP WHAT ADVICE
fail() {
  complain "$2" "$3" "$4"
  exit "$1"
}

# Runs one step of the setup under the time limit for such steps. A failure ends the build with the
# status for a broken environment, so that it is not held against the package.
# setup_step STEP WHAT ADVICE COMMAND...
setup_step() {
  local step=$1 what=$2 advice=$3 limit=${BUILDER_SETUP_TIMEOUT:-1800} status=0
  shift 3
  timeout --kill-after=10 "$limit" "$@" || status=$?
  if ((status == STATUS_TIMED_OUT || status == 137)); then
    fail "$STATUS_ENVIRONMENT" "$step" "$what took longer than $limit s" "$advice"
  elif ((status != 0)); then
    fail "$STATUS_ENVIRONMENT" "$step" "$what (status $status)" "$advice"
  fi
}

# Runs a command as the unprivileged build user, without a monitor process in between,
# so that signals of timeout(1) reach the build itself.
as_builder() {
  setpriv --reuid=builder --regid=builder --init-groups \
    env HOME=/home/builder USER=builder LOGNAME=builder SHELL=/bin/bash "$@"
}

# Reads one key of a .CI/config file as data: the last KEY=value line counts, quotes are optional,
# nothing in it is ever run. Prints nothing where the key is absent.
# config_value FILE KEY
config_value() {
  local file=$1 key=$2 line value found=
  [[ -f $file ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
    [[ ${BASH_REMATCH[2]} == "$key" ]] || continue
    value=${BASH_REMATCH[3]}
    if [[ $value =~ ^[[:space:]]*\"([^\"]*)\" || $value =~ ^[[:space:]]*\'([^\']*)\' ]]; then
      found=${BASH_REMATCH[1]}
    else
      value=${value%%[[:space:]]#*}
      value=${value#"${value%%[![:space:]]*}"}
      found=${value%"${value##*[![:space:]]}"}
    fi
  done <"$file"
  printf '%s' "$found"
}
