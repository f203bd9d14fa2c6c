#!/bin/sh
# Makes the repository, or adds a commit when the inputs changed. Safe to run again: the repository
# is built beside its place and moved there in one step, and says whose it is in its own config.
. ./common.sh

command -v git >/dev/null || fail "git is not installed on this worker."
mkdir -p "$folder"

if [ -f "$PADDOCK_STORAGE/name" ] && [ "$(cat "$PADDOCK_STORAGE/name")" != "$name" ]; then
    fail "The service name cannot change after the repository is made: it would break every clone."
fi
if [ -e "$repository" ] && [ "$(owner_of "$repository")" != "$PADDOCK_ENVIRONMENT_ID" ]; then
    fail "A repository named $name is there already and belongs to somebody else. Choose another name."
fi
printf '%s' "$name" > "$PADDOCK_STORAGE/name"

work=$(mktemp -d)
trap 'rm -rf "$work" "$folder/.$PADDOCK_ENVIRONMENT_ID.git"' EXIT

fresh=no
if [ -e "$repository" ]; then
    echo "Repository $name is there: looking for changes"
    git clone --quiet --branch "$branch" "$repository" "$work/tree"
else
    fresh=yes
    echo "Making repository $name"
    git init --quiet --initial-branch="$branch" "$work/tree"
    for part in common "$PADDOCK_INPUT_LANGUAGE"; do
        [ -d "skeleton/$part" ] && cp -R "skeleton/$part/." "$work/tree/"
    done
    package=$(printf '%s' "$name" | tr - _)
    find "$work/tree" -path "$work/tree/.git" -prune -o -type f -exec \
        sed -i -e "s/__SERVICE__/$name/g" -e "s/__PACKAGE__/$package/g" {} +
    if [ -d "$work/tree/src/service" ]; then
        mv "$work/tree/src/service" "$work/tree/src/$package"
    fi
    {
        printf '# %s\n' "$name"
        [ -z "${PADDOCK_INPUT_DESCRIPTION:-}" ] || printf '\n%s\n' "$PADDOCK_INPUT_DESCRIPTION"
        [ ! -f "$work/tree/RUN.md" ] || { printf '\n'; cat "$work/tree/RUN.md"; }
    } > "$work/tree/README.md"
    rm -f "$work/tree/RUN.md"
fi

# These two follow the inputs on every update; the rest belongs to the developers.
printf '* %s\n' "$(printf '%s' "$PADDOCK_INPUT_OWNERS" | tr '\n' ' ')" > "$work/tree/CODEOWNERS"
{
    printf 'name: %s\nlanguage: %s\n' "$name" "$PADDOCK_INPUT_LANGUAGE"
    printf 'project: %s\nenvironment_type: %s\n' "$PADDOCK_PROJECT" "$PADDOCK_ENVIRONMENT_TYPE"
    if [ -n "${PADDOCK_INPUT_DESCRIPTION:-}" ]; then
        printf 'description: |-\n'
        printf '%s\n' "$PADDOCK_INPUT_DESCRIPTION" | sed 's/^/  /'
    fi
    printf 'owners:\n'
    printf '%s\n' "$PADDOCK_INPUT_OWNERS" | sed 's/.*/  - "&"/'
    printf 'port: %s\npublic: %s\n' "${PADDOCK_INPUT_NETWORK_PORT:-8080}" "${PADDOCK_INPUT_NETWORK_PUBLIC:-false}"
} > "$work/tree/service.yaml"

git -C "$work/tree" add --all
if git -C "$work/tree" diff --cached --quiet; then
    echo "Nothing to change"
else
    if [ "$fresh" = yes ]; then message="Begin $name"; else message="Update owners and settings"; fi
    git -C "$work/tree" commit --quiet --message "$message"
    echo "Committed: $message"
fi

if [ "$fresh" = yes ]; then
    beside=$folder/.$PADDOCK_ENVIRONMENT_ID.git
    rm -rf "$beside"
    git clone --quiet --bare "$work/tree" "$beside"
    git --git-dir="$beside" remote remove origin
    git --git-dir="$beside" config paddock.environment "$PADDOCK_ENVIRONMENT_ID"
    printf '%s\n' "${PADDOCK_INPUT_DESCRIPTION:-$name}" > "$beside/description"
    mv -T "$beside" "$repository"
else
    git -C "$work/tree" push --quiet origin "$branch"
fi

commit=$(git --git-dir="$repository" rev-parse "$branch")
clone_base=${PADDOCK_TARGET_CLONE_BASE:-file://$folder}
cat > "$PADDOCK_OUTPUTS" <<JSON
{
  "outputs": {
    "clone_url": { "type": "string", "value": "${clone_base%/}/$name.git" },
    "path": { "type": "string", "value": "$repository" },
    "default_branch": { "type": "string", "value": "$branch" },
    "commit": { "type": "string", "value": "$commit" }
  },
  "resources": [{ "address": "repository", "type": "git_repository", "id": "$repository" }]
}
JSON
echo "Repository is ready: ${clone_base%/}/$name.git"
