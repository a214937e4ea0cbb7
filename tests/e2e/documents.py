"""The two documents of the story, and the claim with training data."""

from __future__ import annotations

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: history}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: history-loader}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: loader
      image: localhost/logwarden/ingest:dev
      imagePullPolicy: IfNotPresent
      command: [sleep, "3600"]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: history, mountPath: /history}]
  volumes:
    - {name: history, persistentVolumeClaim: {claimName: history}}
"""

MODEL = """
apiVersion: logwarden.dev/v1alpha1
kind: AnomalyModel
metadata: {name: campus}
spec:
  base: {family: T5, model: builtin}
  serving:
    resources:
      requests: {cpu: 50m, memory: 256Mi}
"""

# A model of one short training on a part of the data; what it must reach is not what is tested here.
TRAINING = """
  promotion: {mustBeatBaselines: false}
  training:
    datasets:
      - {uri: "pvc://history/recordings", format: lab}
    epochs: 1
    batchSize: 64
    resources:
      requests: {cpu: 100m, memory: 1Gi}
"""

PIPELINE = """
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: campus}
spec:
  collect:
    nodes: true
    syslog:
      listeners:
        - {name: udp, transport: UDP, port: 5514}
        - {name: tcp, transport: TCP, port: 5514}
      service: {type: ClusterIP}
    http: {enabled: true}
    buffer: {size: 1Gi}
  kafka:
    bootstrapServers: kafka.logwarden-demo.svc:9092
    topic: {name: netlogs-raw, partitions: 2, replicas: 1}
  detect: {modelRef: {name: campus}, explain: true}
  store: {databaseSecretRef: {name: logwarden-db, key: uri}}
"""

# A pod beside the pipeline from which numbered lines are sent, and in which Kafka is asked.
TRAFFIC = """
apiVersion: v1
kind: Pod
metadata: {name: sender, namespace: logwarden-demo}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: sender
      image: localhost/logwarden/ingest:dev
      imagePullPolicy: IfNotPresent
      command: [sleep, "7200"]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
