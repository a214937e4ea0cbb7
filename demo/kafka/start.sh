#!/bin/sh
# Start a node of Kafka that is broker and controller. Its data is in DATA, its settings are in CONFIG.
set -eu

export CLASSPATH='/opt/kafka/libs/*'
if [ ! -e "$DATA/meta.properties" ]; then
    java -Xmx128m kafka.tools.StorageTool format --standalone -t bG9nd2FyZGVuLWRlbW8tMQ -c "$CONFIG"
fi
exec java -Xms256m -Xmx512m kafka.Kafka "$CONFIG"
