# shellcheck shell=bash
# Messages and state folder that the scripts of this folder share.

say() {
  printf '%s\n' "$*"
}

# die WHAT ADVICE
die() {
  printf 'error: %s; %s\n' "$1" "$2" >&2
  exit 1
}

# Where the private engine and the parts of the test image live between runs.
dev_state() {
  # In the form that the kernel uses too, for comparisons with what is mounted.
  realpath -m -- "${CAUR_DEV_STATE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/caur}"
}
