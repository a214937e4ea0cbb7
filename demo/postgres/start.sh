#!/bin/sh
# Start a PostgreSQL with its data in DATA and a database "logs" of the user "logs", whose password is in PASSWORD_FILE.
set -eu

PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
if [ ! -e "$DATA/PG_VERSION" ]; then
    part=$DATA.part
    rm -rf "$part"
    initdb --pgdata="$part" --encoding=UTF8 --locale=C.UTF-8 --username=logs --auth=scram-sha-256 \
        --pwfile="$PASSWORD_FILE"
    echo 'host all all all scram-sha-256' >>"$part/pg_hba.conf"
    echo 'CREATE DATABASE logs' | postgres --single -D "$part" postgres >/dev/null
    mv "$part" "$DATA"
fi
exec postgres -D "$DATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
