#!/bin/sh
# images.sh [COMPONENT...]: build the container images with docker or buildah and print their sizes. Names and tags come
# from REGISTRY and TAG, the base images from BASE and COLLECTOR_BASE where set. GPU=no makes a trainer for CPUs only,
# of about half the size.
set -eu
cd "$(dirname "$0")/.."

registry=${REGISTRY:-localhost/logwarden}
tag=${TAG:-dev}
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=1
    build="docker build --quiet"
    size() { docker image inspect --format '{{.Size}}' "$1"; }
elif command -v buildah >/dev/null; then
    build="buildah build --quiet"
    size() { buildah inspect --type image --format '{{.Size}}' "$1" 2>/dev/null || echo 0; }
else
    echo "Building images needs docker (a running one) or buildah." >&2
    exit 1
fi

# What the demo and the tests need beside Logwarden is built from demo/: demo-kafka and demo-postgres.
of_demo() {
    $build ${COLLECTOR_BASE:+--build-arg "BASE=$COLLECTOR_BASE"} --tag "$2" --file "demo/${1#demo-}/Dockerfile" .
}

of_logwarden() {
    $build ${BASE:+--build-arg "BASE=$BASE"} ${COLLECTOR_BASE:+--build-arg "COLLECTOR_BASE=$COLLECTOR_BASE"} \
        ${GPU:+--build-arg "GPU=$GPU"} --build-arg "VERSION=$tag" --target "$1" --tag "$2" --file images/Dockerfile .
}

[ $# -gt 0 ] || set -- operator detector ingest dashboard collector trainer
for component in "$@"; do
    image=$registry/$component:$tag
    case $component in
        demo-*) of_demo "$component" "$image" ;;
        *) of_logwarden "$component" "$image" ;;
    esac >/dev/null
    printf '%-40s %5d MB\n' "$image" $(($(size "$image") / 1000000))
done
