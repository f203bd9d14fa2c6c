#!/bin/sh
# It is there when it has a port and a token, running or not.
. ./common.sh
[ -s "$PADDOCK_HOST_FOLDER/token" ] && [ -s "$PADDOCK_HOST_FOLDER/port" ] || exit 1
if running > /dev/null; then echo "It is there and runs"; else echo "It is there and does not run"; fi
