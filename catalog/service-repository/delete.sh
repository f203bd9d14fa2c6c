#!/bin/sh
# Removes the repository, if it is this environment's. Gone already is success.
. ./common.sh

[ ! -f "$PADDOCK_STORAGE/name" ] || repository=$folder/$(cat "$PADDOCK_STORAGE/name").git
rm -rf "$folder/.$PADDOCK_ENVIRONMENT_ID.git"
if [ ! -e "$repository" ]; then
    echo "Nothing to remove: $repository is not there"
elif [ "$(owner_of "$repository")" = "$PADDOCK_ENVIRONMENT_ID" ]; then
    # Moved away first: a clone sees all of it or nothing.
    mv -T "$repository" "$folder/.$PADDOCK_ENVIRONMENT_ID.git"
    rm -rf "$folder/.$PADDOCK_ENVIRONMENT_ID.git"
    echo "Removed $repository"
else
    echo "$repository belongs to somebody else: left alone"
fi
