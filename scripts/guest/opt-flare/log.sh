#!/bin/sh
# log.sh PYTHON: write the log of FLARE to the disk of the host that is standard output. Called by nvflare-log.service, as
# a user who can open no device and no file of others. FLARE itself writes to the journal, and waits for no disk.

# From the start of this boot: after a failure all of it is written again.
journalctl --unit nvflare.service --boot --lines all --follow --output short-iso --quiet |
	exec "$1" -I -S -B /opt/flare/scripts/log_ring.py
