#!/bin/sh
# start_flare.sh WORKSPACE: run FLARE in the foreground, as its user; systemd restarts it. Called by nvflare.service.

cd "$1" || exit 1
if [ -r startup/sub_start.sh ]; then
	# Once: without the loop that start.sh puts around it in the background.
	exec bash startup/sub_start.sh --once
fi
exec bash startup/start.sh
