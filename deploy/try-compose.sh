#!/usr/bin/env bash
# Tries docker-compose.yml for real, where there is no image registry: `deploy/try-compose.sh`. Linux on x64, as root, with
# Debian's apt, Go and Bun. Everything runs in namespaces without an uplink, and nothing of it stays but a cache.
#
# `deploy/try-compose.sh prepare` only fetches and builds what is kept: the engine, compose, two Debian file trees.
# `deploy/try-compose.sh flink` tries the profile `flink` instead; it needs Python 3.11 with pip, 8 GB of disk and 5 GB of memory.
# Never here: the machine's own engine, its firewall, its ports.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cauce/try-compose
STAGE=$(mktemp -d /tmp/cauce-try-compose-XXXXXX)
mkdir -p "$CACHE"
. "$ROOT/deploy/try/engine.sh"
. "$ROOT/deploy/try/images.sh"
. "$ROOT/deploy/try/checks.sh"
. "$ROOT/deploy/try/flink.sh"

clean_up() {
  stop_engine || true
  rm -rf "$STAGE"
}
trap clean_up EXIT

fetch_engine
fetch_compose
start_engine
make_stand_ins
[ "${1:-}" = prepare ] && exit 0
build_image
if [ "${1:-}" = flink ]; then
  make_flink_stand_ins
  check_flink
else
  run_checks
fi
