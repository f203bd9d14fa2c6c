# What the scripts of the workspace share. Everything that must outlive a stop is below $PADDOCK_HOST_FOLDER.
set -eu

home=$PADDOCK_HOST_FOLDER/home     # settings of the editor and of what runs in its terminals
files=$PADDOCK_HOST_FOLDER/files   # the person's own
log=$PADDOCK_HOST_FOLDER/editor.log
listen=${PADDOCK_TARGET_LISTEN:-127.0.0.1}
ports=$PADDOCK_SHARED_FOLDER/ports
venv=$PADDOCK_SHARED_FOLDER/jupyterlab-4

fail() {
    printf '%s\n' "$1" > "$PADDOCK_ERROR_LOG"
    printf '%s\n' "$1" >&2
    exit 1
}

# When the process $1 was started: with its number, that names it.
born() {
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    set -- ${stat##*) }
    # A zombie has ended.
    [ "$1" != Z ] || return 1
    printf '%s' "${20}"
}

# The editor's process, if it runs.
running() {
    read -r pid start 2>/dev/null < "$PADDOCK_HOST_FOLDER/editor" || return 1
    [ "$(born "$pid")" = "$start" ] || return 1
    printf '%s' "$pid"
}

port() { cat "$PADDOCK_HOST_FOLDER/port"; }

# Whether the editor lets us in with its token.
answers() {
    python3 answers.py "http://$(reach):$(port)/api/status" "$PADDOCK_HOST_FOLDER/token"
}

# Where this host reaches it itself.
reach() {
    case $listen in
    0.0.0.0 | "") printf 127.0.0.1 ;;
    ::) printf '[::1]' ;;
    *:*) printf '[%s]' "$listen" ;;
    *) printf '%s' "$listen" ;;
    esac
}

# What links name.
connect_host() {
    if [ -n "${PADDOCK_TARGET_CONNECT_HOST:-}" ]; then
        printf '%s' "$PADDOCK_TARGET_CONNECT_HOST"
    elif [ "$(reach)" = 127.0.0.1 ] && [ "$listen" != 127.0.0.1 ]; then
        printf '%s' "$PADDOCK_TARGET_HOST"
    else
        reach
    fi
}

is_used() {
    grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$1") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# A port of its own, which it keeps while it is stopped. Whose port is whose stands in a folder that all
# workspaces of the host share; what belongs to one that is gone is free again.
take_port() {
    [ ! -s "$PADDOCK_HOST_FOLDER/port" ] || return 0
    mkdir -p "$ports"
    candidate=20000
    while [ "$candidate" -lt 30000 ]; do
        owner=$(cat "$ports/$candidate" 2>/dev/null || :)
        if [ -n "$owner" ] && [ "$owner" != "$PADDOCK_ENVIRONMENT_ID" ] && [ ! -d "$PADDOCK_SHARED_FOLDER/../$owner" ]; then
            rm -f "$ports/$candidate"
            owner=
        fi
        if ! is_used "$candidate" && { [ "$owner" = "$PADDOCK_ENVIRONMENT_ID" ] ||
            (set -C && printf '%s' "$PADDOCK_ENVIRONMENT_ID" > "$ports/$candidate") 2>/dev/null; }; then
            printf '%s\n' "$candidate" > "$PADDOCK_HOST_FOLDER/port"
            return 0
        fi
        candidate=$((candidate + 1))
    done
    fail "No port between 20000 and 30000 is free on the host."
}

# The program: the one that is installed on the host, else one for all workspaces there.
editor() {
    if command -v jupyter-lab; then return; fi
    printf '%s\n' "$venv/bin/jupyter-lab"
}

start_editor() {
    if running > /dev/null && answers; then
        echo "JupyterLab runs on port $(port)"
        return 0
    fi
    stop_editor
    ! is_used "$(port)" || fail "Another program on the host has taken port $(port). End it, then start the workspace again."
    mkdir -p "$home" "$files" "$PADDOCK_HOST_FOLDER/tmp"
    cat > "$PADDOCK_HOST_FOLDER/editor.py" <<PYTHON
import os
with open(os.environ["PADDOCK_HOST_FOLDER"] + "/token") as token:
    c.IdentityProvider.token = token.read().strip()
c.ServerApp.root_dir = os.environ["PADDOCK_HOST_FOLDER"] + "/files"
c.ServerApp.ip = "$listen"
c.ServerApp.port = $(port)
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = os.geteuid() == 0
c.ServerApp.allow_remote_access = "$listen" != "127.0.0.1" or "${PADDOCK_TARGET_CONNECT_HOST:-}" != ""
c.FileContentsManager.delete_to_trash = False
PYTHON
    # Nothing is asked of the outside by itself, and the person is not asked whether it may be.
    settings=$home/.jupyter/labconfig/page_config.json
    if [ ! -e "$settings" ]; then
        mkdir -p "${settings%/*}"
        printf '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}\n' > "$settings"
    fi
    echo "Starting JupyterLab on port $(port)"
    (
        ulimit -d "$((${PADDOCK_INPUT_MEMORY:-2} * 1024 * 1024))"
        # What the person starts in it sees the host's variables, not those of this script.
        for name in $(env | sed -n 's/^\(PADDOCK_[A-Z_]*\|ADE_[A-Z_]*\)=.*/\1/p'); do
            case $name in PADDOCK_ENVIRONMENT_ID | PADDOCK_HOST_FOLDER) ;; *) unset "$name" ;; esac
        done
        export HOME="$home" TMPDIR="$PADDOCK_HOST_FOLDER/tmp" SHELL="${SHELL:-/bin/sh}"
        cd "$files"
        exec setsid "$(editor)" --config="$PADDOCK_HOST_FOLDER/editor.py"
    ) > "$log" 2>&1 < /dev/null &
    started=$!
    printf '%s %s\n' "$started" "$(born "$started")" > "$PADDOCK_HOST_FOLDER/editor"
    tries=0
    while ! answers; do
        if ! running > /dev/null; then
            tail -n 20 "$log"
            fail "JupyterLab ended while it started: $(grep -v '^\[I' "$log" | tail -n 1)"
        fi
        tries=$((tries + 1))
        [ "$tries" -lt 240 ] || fail "JupyterLab did not answer on port $(port) within a minute."
        sleep 0.25
    done
    echo "JupyterLab answers"
}

stop_editor() {
    if pid=$(running); then
        kill "$pid"
        tries=0
        while running > /dev/null; do
            tries=$((tries + 1))
            if [ "$tries" -ge 40 ]; then
                echo "JupyterLab does not stop by itself: ending it"
                kill -s KILL -- "-$pid"
            fi
            sleep 0.25
        done
        echo "JupyterLab has stopped"
    fi
    rm -f "$PADDOCK_HOST_FOLDER/editor"
}

write_outputs() {
    host=$(connect_host)
    cat > "$PADDOCK_OUTPUTS" <<JSON
{
  "outputs": {
    "url": {
      "type": "string", "sensitive": true,
      "value": "http://$host:$(port)/lab?token=$(cat "$PADDOCK_HOST_FOLDER/token")"
    },
    "host": { "type": "string", "value": "$(uname -n)" },
    "folder": { "type": "string", "value": "$files" }
  },
  "resources": [{ "address": "editor", "type": "jupyterlab", "id": "$(uname -n):$(port)" }]
}
JSON
}
