#!/bin/sh
# Makes the workspace, or makes it as its inputs say, and does not end before it answers.
. ./common.sh

command -v python3 > /dev/null || fail "The host has no python3. Whoever looks after it can install it."

if ! command -v jupyter-lab > /dev/null; then
    exec 8>> "$venv.lock"
    echo "There is no jupyter-lab on the path of the host"
    flock 8
    if [ ! -e "$venv/.complete" ]; then
        echo "Installing JupyterLab from the package registry, once for all workspaces of the host (a minute or two)"
        rm -rf "$venv"
        export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
        if python3 -m venv "$venv" 2> /dev/null; then
            pip() { "$venv/bin/python" -m pip "$@"; }
        else
            # Some systems have pip and leave it out of the module venv.
            rm -rf "$venv"
            python3 -m pip --version > /dev/null 2>&1 && python3 -m venv --without-pip "$venv" ||
                fail "The host has neither pip nor the module venv for python3 (python3-venv)."
            pip() { python3 -m pip --python "$venv/bin/python" "$@"; }
        fi
        pip install --quiet 'jupyterlab>=4.4,<5' ||
            fail "JupyterLab could not be installed: the last lines of the log say why."
        touch "$venv/.complete"
    fi
    flock -u 8
    exec 8>&-
fi
echo "With JupyterLab $("$(editor)" --version)"

if [ ! -s "$PADDOCK_HOST_FOLDER/token" ]; then
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$PADDOCK_HOST_FOLDER/token.new"
    mv "$PADDOCK_HOST_FOLDER/token.new" "$PADDOCK_HOST_FOLDER/token"
fi
take_port
mkdir -p "$files"

repository=${PADDOCK_INPUT_REPOSITORY:-}
if [ -n "$repository" ]; then
    name=$(basename "$repository" .git)
    if [ -e "$files/$name" ]; then
        echo "$name is in the workspace already, and stays as it is"
    else
        command -v git > /dev/null || fail "The host has no git, which a repository needs."
        echo "Cloning $repository"
        rm -rf "$PADDOCK_HOST_FOLDER/clone"
        GIT_TERMINAL_PROMPT=0 git clone --quiet "$repository" "$PADDOCK_HOST_FOLDER/clone"
        mv "$PADDOCK_HOST_FOLDER/clone" "$files/$name"
    fi
fi

# A limit that changed holds for what is started with it.
[ "$(cat "$PADDOCK_HOST_FOLDER/memory" 2>/dev/null || :)" = "${PADDOCK_INPUT_MEMORY:-2}" ] || stop_editor
start_editor
printf '%s\n' "${PADDOCK_INPUT_MEMORY:-2}" > "$PADDOCK_HOST_FOLDER/memory"
write_outputs
