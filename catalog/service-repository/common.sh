# Shared by the scripts of this template. Paddock gives every input as PADDOCK_INPUT_<NAME> and
# every setting of the target as PADDOCK_TARGET_<NAME>.
set -eu

fail() {
    echo "$1" >&2
    exit 1
}

[ -n "${PADDOCK_TARGET_FOLDER:-}" ] || fail "The target ${PADDOCK_TARGET:-} has no setting “folder” that says where repositories live."
folder=${PADDOCK_TARGET_FOLDER%/}
name=$PADDOCK_INPUT_SERVICE_NAME
repository=$folder/$name.git
branch=main

export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=Paddock GIT_AUTHOR_EMAIL=paddock@localhost
export GIT_COMMITTER_NAME=Paddock GIT_COMMITTER_EMAIL=paddock@localhost

# Whose repository it is; empty when there is none.
owner_of() {
    git --git-dir="$1" config --get paddock.environment 2>/dev/null || true
}
