#!/bin/bash
# As the official image behaves where docker-compose.yml relies on it: POSTGRES_USER, _DB, _PASSWORD or _PASSWORD_FILE are for the
# first start, TCP from outside wants the password, the machine itself does not; while it initialises it listens on a socket only.
set -euo pipefail
[ "$1" = postgres ] || exec "$@"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$password") --locale=C.UTF-8 --encoding=UTF8 >/dev/null
  echo "unix_socket_directories = '/var/run/postgresql'" >>"$PGDATA/postgresql.conf"
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  postgres -c listen_addresses= &
  until psql -qU "$POSTGRES_USER" postgres -c "CREATE DATABASE $POSTGRES_DB" 2>/dev/null ||
    psql -qU "$POSTGRES_USER" -l 2>/dev/null | grep -q " $POSTGRES_DB "; do sleep 0.1; done
  kill -INT %1
  wait %1
fi
exec "$@" -c 'listen_addresses=*'
