#!/bin/sh
# Exit 0: the repository is there and is ours. Exit 1: it is not there.
. ./common.sh

[ ! -f "$PADDOCK_STORAGE/name" ] || repository=$folder/$(cat "$PADDOCK_STORAGE/name").git
[ -e "$repository" ] && [ "$(owner_of "$repository")" = "$PADDOCK_ENVIRONMENT_ID" ]
