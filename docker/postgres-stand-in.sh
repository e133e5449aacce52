#!/bin/sh
# The entry point of the stand-in for the official PostgreSQL image: the same variables, as far as compose.yaml uses
# them. An empty data folder becomes a cluster; one of another version is refused by the server, in its words.
set -eu

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    : "${POSTGRES_PASSWORD:?the first start needs POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE}"
    words=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" >"$words"
    # The arguments are a list of words, as in the official image.
    # shellcheck disable=SC2086
    initdb --username="$user" --pwfile="$words" --auth=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    rm "$words"
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:-$user}" != postgres ]; then
        echo "CREATE DATABASE \"${POSTGRES_DB:-$user}\";" | postgres --single -jE -D "$PGDATA" postgres
    fi
fi
if [ "${1:-}" = postgres ]; then
    shift
    set -- postgres -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
fi
exec "$@"
