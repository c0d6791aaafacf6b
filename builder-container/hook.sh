# shellcheck shell=bash
# Runs one script of a package's .CI folder in the build folder:
#   hook.sh SCRIPT ENVIRONMENT_FILE
# The script may use $CAUR_PUSH 'command' to run a command as root in the build environment. A
# command of it that fails ends it; what it exports is written to ENVIRONMENT_FILE.
# shellcheck disable=SC2317  # functions are reached through the trap and the sourced script
set -E

hook_script=$1
hook_environment=$2
set --

caur_push() {
  printf '==> [caur] %s runs: %s\n' "$hook_script" "$*"
  eval "$*"
}
# Scripts that the hook starts find the function too.
export -f caur_push
export hook_script CAUR_PUSH=caur_push

# Like errexit, but it names the line, and a last `[[ … ]] && …` that is false is no failure.
hook_error() {
  local status=$1 line=$2 command=$3
  ((BASH_SUBSHELL == 0)) || return 0
  [[ ${FUNCNAME[1]} != main ]] || return 0
  printf '==> ERROR: %s failed: line %s: %s (status %s); correct the command, or add "|| true" where it may fail\n' \
    "$hook_script" "$line" "$command" "$status"
  exit "$status"
}
trap 'hook_error "$?" "$LINENO" "$BASH_COMMAND"' ERR
trap 'export -n hook_script CAUR_PUSH; export -p >"$hook_environment"' EXIT

# shellcheck source=/dev/null
source "$hook_script"
hook_status=$?

if ((hook_status == CI_CODE_SKIP)); then
  exit "$CI_CODE_SKIP"
elif ((hook_status != 0)); then
  printf '==> WARNING: [caur] %s ended with status %s of its last command\n' "$hook_script" "$hook_status"
fi
exit 0
