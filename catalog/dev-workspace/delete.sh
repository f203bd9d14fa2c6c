#!/bin/sh
# Ends the editor and gives its port back. Paddock removes the folder with all files afterwards.
. ./common.sh
stop_editor
if [ -s "$PADDOCK_HOST_FOLDER/port" ] && [ "$(cat "$ports/$(port)" 2>/dev/null)" = "$PADDOCK_ENVIRONMENT_ID" ]; then
    rm -f "$ports/$(port)"
fi
rm -rf "$files" "$home" "$PADDOCK_HOST_FOLDER/token" "$PADDOCK_HOST_FOLDER/port"
