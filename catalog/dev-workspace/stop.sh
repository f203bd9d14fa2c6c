#!/bin/sh
# Ends the editor and what runs in it. Files, port and token stay.
. ./common.sh
stop_editor
