#!/bin/sh
. ./common.sh
stop_editor
start_editor
write_outputs
