#!/bin/sh
# demo.sh [RECORDING]: replay a recording of the lab from a pod to the collector of LogPipeline campus in namespace
# default, in the cluster that scripts/cluster.sh made. CONTEXT names it where kubectl's current one is another. SPEED
# is how many times faster than recorded it is: over 1, rates look like bursts, and there are more anomalies.
set -eu
cd "$(dirname "$0")/.."

recording=${1:-lab/recordings/test-11}
speed=${SPEED:-1}

kube() {
    kubectl ${CONTEXT:+--context "$CONTEXT"} --namespace logwarden-demo "$@"
}

fresh() {
    kube create "$@" --dry-run=client --output yaml | kube apply --server-side --force-conflicts --filename - >/dev/null
}

if ! kube get statefulset kafka >/dev/null; then
    echo "This is not a cluster of scripts/cluster.sh: make kind-up makes one." >&2
    exit 1
fi
fresh configmap traffic --from-file=send.py=demo/send.py --from-file=lines.log.gz="$recording/lines.log.gz"
kube delete job traffic --ignore-not-found >/dev/null
sed "s/SPEED/$speed/" demo/traffic.yaml | kube apply --filename - >/dev/null
minutes=$(($(sed -n 's/.*"simulated_day_seconds": \([0-9]*\).*/\1/p' "$recording/meta.json") / 60 / speed))
cat <<END
A pod sends what $recording holds to Service campus-collector: about $minutes minutes, in which things go wrong on
purpose, for the first time after two minutes (divided by SPEED=$speed).
    kubectl -n logwarden-demo logs -f job/traffic
Look at what is found: http://localhost:30851, or from anywhere
    kubectl -n logwarden port-forward service/logwarden-dashboard 8501:8501      # then http://localhost:8501
END
