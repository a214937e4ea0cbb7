#!/bin/sh
# Fetch the jars of the Kafka that the tests start, once, into the user's cache, and print their folder. Prints nothing
# where Java or Maven is missing: the tests say at their end what they had to leave out.
set -eu

pom=tests/services/kafka-pom.xml
command -v java >/dev/null && command -v mvn >/dev/null || exit 0

key=$(cksum <"$pom" | cut -d ' ' -f 1)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/logwarden/kafka-$key"
if [ ! -d "$folder" ]; then
    echo "Fetching Kafka for the tests" >&2
    mkdir -p "${folder%/*}"
    part=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    if mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DoutputDirectory="$part" >"$part/log" 2>&1 </dev/null; then
        rm "$part/log"
        mv -T "$part" "$folder" 2>/dev/null || [ -d "$folder" ]
    else
        tail -n 20 "$part/log" >&2
        echo "Kafka could not be fetched; the tests that need it are left out." >&2
        exit 0
    fi
fi
echo "$folder"
