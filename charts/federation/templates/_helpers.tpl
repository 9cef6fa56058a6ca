{{/* Names and labels. */}}

{{- define "federation.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* What finds the pods of one component of this release: federation, redis, test. */}}
{{- define "federation.selector" -}}
app.kubernetes.io/name: binderfed
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "federation.labels" -}}
{{ include "federation.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "federation.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "federation.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "federation.secret" -}}
{{- default (include "federation.fullname" .) .Values.secrets.existingSecret -}}
{{- end }}

{{- define "federation.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end }}

{{- define "federation.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* "true" or nothing: whether replicas have a Redis to share. */}}
{{- define "federation.hasRedis" -}}
{{- if or .Values.redis.bundled.enabled (dig "redis" "url" "" .Values.config) -}}true{{- end -}}
{{- end }}

{{/* "true" or nothing: whether the only replica keeps what operators change on a disk of its own. */}}
{{- define "federation.hasDisk" -}}
{{- if and .Values.persistence.enabled (not (include "federation.hasRedis" .)) -}}true{{- end -}}
{{- end }}

{{/* How many replicas there may be. */}}
{{- define "federation.mostReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end }}

{{/* How many replicas there are at least. */}}
{{- define "federation.leastReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end }}

{{/* A text of rules or dashboards, whose links lead to where the documentation is served. */}}
{{- define "federation.withDocs" -}}
{{- $placeholder := "https://docs.example.org/binder-federation" -}}
{{- .text | replace $placeholder (.root.Values.docsUrl | default $placeholder | trimSuffix "/") -}}
{{- end -}}
