#!/bin/sh
. ./common.sh

differs() {
    printf '%s\n' "$1" >> "$PADDOCK_DIFFERENCES"
    different=1
}

different=0
[ -d "$files" ] || differs "files: missing"
if [ "$PADDOCK_STOPPED" = true ]; then
    ! running > /dev/null || differs "editor: was stopped → runs"
elif ! running > /dev/null; then
    differs "editor: ran → does not run"
elif ! answers; then
    differs "editor: answered → does not answer on port $(port)"
fi
[ "$different" = 0 ] || exit 2
