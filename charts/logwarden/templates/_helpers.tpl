{{- define "logwarden.labels" -}}
app.kubernetes.io/part-of: logwarden
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "logwarden.operator" -}}
{{ printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "logwarden.dashboard" -}}
{{ printf "%s-dashboard" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "logwarden.postgresql" -}}
{{ printf "%s-postgresql" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Secret and key with the URI of the database that the dashboard reads. */ -}}
{{- define "logwarden.databaseSecret" -}}
{{- if .Values.dashboard.database.secretName }}
{{- .Values.dashboard.database.secretName }}
{{- else if .Values.postgresql.enabled }}
{{- .Values.postgresql.secretName | default (include "logwarden.postgresql" .) }}
{{- else }}
{{- fail "dashboard.database.secretName: name the Secret with the URI of the database that the pipelines write to, or set postgresql.enabled" }}
{{- end }}
{{- end }}

{{- define "logwarden.image" -}}
{{ printf "%s/%s:%s" .root.Values.images.registry .component (.root.Values.images.tag | default .root.Chart.AppVersion) }}
{{- end }}

{{- define "logwarden.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "logwarden.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* What the operator reads at its start: src of the fields is logwarden_operator/settings.py. */ -}}
{{- define "logwarden.settings" -}}
namespace: {{ .Release.Namespace }}
watchNamespaces: {{ toJson .Values.operator.watchNamespaces }}
kafkaNamespaces: {{ toJson .Values.operator.kafkaNamespaces }}
images:
{{- range $component := list "trainer" "detector" "ingest" "collector" }}
  {{ $component }}: {{ include "logwarden.image" (dict "root" $ "component" $component) | quote }}
{{- end }}
  pullPolicy: {{ .Values.images.pullPolicy }}
  pullSecrets: {{ toJson .Values.images.pullSecrets }}
syslogNgVersion: {{ .Values.pipelines.syslogNgVersion | quote }}
modelClaim:
  size: {{ .Values.pipelines.modelClaim.size | quote }}
  storageClass: {{ .Values.pipelines.modelClaim.storageClass | default nil | toJson }}
  accessModes: {{ toJson .Values.pipelines.modelClaim.accessModes }}
monitoring: {{ toJson (pick .Values.monitoring "enabled" "labels") }}
autoscaling: {{ .Values.pipelines.autoscaling }}
networkPolicies: {{ .Values.pipelines.networkPolicies }}
nodeSelector: {{ toJson .Values.pipelines.nodeSelector }}
tolerations: {{ toJson .Values.pipelines.tolerations }}
{{- end }}

{{- /* Rights in each namespace that is watched. Secrets can be asked for by name, but neither listed nor watched. */ -}}
{{- define "logwarden.rules" -}}
- apiGroups: [logwarden.dev]
  resources: [anomalymodels, logpipelines]
  verbs: [get, list, watch, patch]
- apiGroups: [logwarden.dev]
  resources: [anomalymodels/status, logpipelines/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, create]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [apps]
  resources: [deployments, daemonsets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, delete]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors, prometheusrules]
  verbs: [list, watch, create, patch, delete]
{{ include "logwarden.topicRules" . }}
{{- end }}

{{- define "logwarden.topicRules" -}}
- apiGroups: [kafka.strimzi.io]
  resources: [kafkatopics, kafkausers]
  verbs: [list, watch, create, patch, delete]
{{- end }}
