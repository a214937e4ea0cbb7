#!/bin/sh
# images.sh [COMPONENT...]: build the container images with docker or buildah and print their sizes. Names and tags come
# from REGISTRY and TAG, the base images from BASE and COLLECTOR_BASE where set.
set -eu

registry=${REGISTRY:-localhost/logwarden}
tag=${TAG:-dev}
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    build="docker build --quiet"
    size() { docker image inspect --format '{{.Size}}' "$1"; }
elif command -v buildah >/dev/null; then
    build="buildah build --quiet"
    size() { buildah inspect --type image --format '{{.Size}}' "$1" 2>/dev/null || echo 0; }
else
    echo "Building images needs docker (a running one) or buildah." >&2
    exit 1
fi

[ $# -gt 0 ] || set -- operator detector ingest dashboard collector trainer
for component in "$@"; do
    base=${BASE:-}
    [ "$component" = collector ] && base=${COLLECTOR_BASE:-}
    $build ${base:+--build-arg "BASE=$base"} --build-arg "VERSION=$tag" \
        --tag "$registry/$component:$tag" --file "images/$component/Dockerfile" . >/dev/null
    printf '%-40s %5d MB\n' "$registry/$component:$tag" $(($(size "$registry/$component:$tag") / 1000000))
done
