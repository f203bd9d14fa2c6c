# What the scripts share; sourced, not run. Goes to the top of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tools that are not the system's live outside the repository, so that every clone shares them.
export PADDOCK_TOOLS="${PADDOCK_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/paddock/tools}"
export PATH="$PADDOCK_TOOLS/bin:$PATH"
# Fetching hundreds of crates at once can be answered with "slow down".
export CARGO_NET_RETRY="${CARGO_NET_RETRY:-10}"

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# step WHAT COMMAND…: says what begins, and how long it took or that it failed.
step() {
  local what=$1 began=$SECONDS
  shift
  say "$what …"
  if "$@"; then
    say "$what: done in $((SECONDS - began)) s"
  else
    local code=$?
    say "$what: FAILED after $((SECONDS - began)) s"
    return "$code"
  fi
}

# The folder of an installed Postgres server, newest first; nothing when there is none.
postgres_bin() {
  local folder
  for folder in $(pg_config --bindir 2>/dev/null) $(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin \
    /usr/local/opt/postgresql@*/bin "${XDG_CACHE_HOME:-$HOME/.cache}"/paddock/postgres/*/bin \
    /var/cache/paddock/postgres/*/bin 2>/dev/null | sort -rV); do
    [[ -x $folder/postgres && -x $folder/initdb ]] && { echo "$folder"; return; }
  done
}
