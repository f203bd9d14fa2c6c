#!/bin/sh
. ./common.sh
start_editor
write_outputs
