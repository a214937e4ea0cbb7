#!/bin/sh
# A cluster on this machine with Logwarden, a Kafka and a PostgreSQL in it, for trying out and for tests:
#   cluster.sh up|down kind|k3d
# up may be run again, and then brings the images and the chart up to date. CLUSTER is the cluster's name, CONFIG the
# configuration of kind, KIND_NODE_IMAGE its node image, IMAGES the images of Logwarden that are built and loaded.
set -eu
cd "$(dirname "$0")/.."

name=${CLUSTER:-logwarden}
images=${IMAGES:-operator detector ingest dashboard collector}
registry=localhost/logwarden
tag=dev

say() {
    printf '%s\n' "--- $*" >&2
}

need() {
    for program; do
        command -v "$program" >/dev/null || { echo "not found: $program; docs/kind.md says what is needed" >&2 && exit 1; }
    done
}

# ------------------------------------------------------------------------ what differs between kind and k3d

exists() {
    case $tool in
        kind) kind get clusters 2>/dev/null | grep -qx "$name" ;;
        k3d) k3d cluster get "$name" >/dev/null 2>&1 ;;
    esac
}

create() {
    case $tool in
        kind)
            kind create cluster --name "$name" --config "${CONFIG:-kind-config.yaml}" --wait 180s \
                ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"}
            ;;
        k3d) k3d cluster create "$name" --config k3d-config.yaml --wait --timeout 180s ;;
    esac
}

load() {
    case $tool in
        kind) kind load docker-image --name "$name" "$@" ;;
        k3d) k3d image import --cluster "$name" "$@" ;;
    esac
}

delete() {
    case $tool in
        kind) kind delete cluster --name "$name" ;;
        k3d) k3d cluster delete "$name" ;;
    esac
}

# -------------------------------------------------------------------------------------------------- the steps

kube() {
    kubectl --context "$tool-$name" "$@"
}

namespace() {
    kube create namespace "$1" --dry-run=client --output yaml | kube apply --filename - >/dev/null
}

# The password is made once, and never an argument.
password() {
    if ! kube --namespace logwarden-demo get secret postgres >/dev/null 2>&1; then
        head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' |
            kube --namespace logwarden-demo create secret generic postgres --from-file=password=/dev/stdin >/dev/null
    fi
    kube --namespace logwarden-demo get secret postgres --output 'jsonpath={.data.password}' | base64 -d
}

database_secrets() {
    uri="postgresql://logs:$(password)@postgres.logwarden-demo.svc:5432/logs"
    for namespace in default logwarden; do
        printf %s "$uri" | kube --namespace "$namespace" create secret generic logwarden-db --from-file=uri=/dev/stdin \
            --dry-run=client --output yaml | kube apply --filename - >/dev/null
    done
}

load_images() {
    set --
    for component in $images demo-kafka demo-postgres; do
        set -- "$@" "$registry/$component:$tag"
    done
    load "$@"
}

services() {
    namespace logwarden-demo
    namespace logwarden
    database_secrets
    kube apply --filename demo/kafka.yaml --filename demo/postgres.yaml --filename demo/outside.yaml >/dev/null
    kube --namespace logwarden-demo rollout status statefulset/postgres --timeout 180s >/dev/null
    kube --namespace logwarden-demo rollout status statefulset/kafka --timeout 180s >/dev/null
}

# Pods of a tag that is there already do not notice that its image is another one.
chart() {
    kube delete pods --all-namespaces --selector app.kubernetes.io/part-of=logwarden --wait=false >/dev/null
    helm upgrade --install logwarden charts/logwarden --kube-context "$tool-$name" --namespace logwarden \
        --values demo/values.yaml --wait --timeout 300s >/dev/null
}

up() {
    need docker "$tool" kubectl helm
    say "images"
    REGISTRY=$registry TAG=$tag sh scripts/images.sh $images demo-kafka demo-postgres >&2
    if ! exists; then
        say "cluster $name"
        create
    fi
    say "images into the cluster"
    load_images
    say "Kafka and PostgreSQL"
    services
    say "Logwarden"
    chart
    cat <<-END

		The cluster is ready: kubectl config use-context $tool-$name
		    kubectl apply -f examples/cluster.yaml
		    kubectl get amodel,lpipe
		    make demo
		The dashboard is at http://localhost:30851
	END
}

down() {
    need "$tool"
    delete
}

case "${1:-} ${2:-}" in
    "up kind" | "up k3d" | "down kind" | "down k3d")
        tool=$2
        "$1"
        ;;
    *) sed -n '2,5s/^# //p' "$0" >&2 && exit 2 ;;
esac
