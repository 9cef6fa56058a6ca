{{/* Names and labels. */}}

{{- define "agent.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "agent.member" -}}
{{- required "config.name is missing: the member's name, as the federation knows it." .Values.config.name -}}
{{- end }}

{{/* What finds the pods of one component of this member: servers, builds, the agent itself. */}}
{{- define "agent.selector" -}}
app.kubernetes.io/name: binderfed
app.kubernetes.io/component: {{ .component }}
binder-federation.org/member: {{ include "agent.member" .root | quote }}
{{- end }}

{{- define "agent.labels" -}}
app.kubernetes.io/name: binderfed
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
binder-federation.org/member: {{ include "agent.member" .root | quote }}
{{- end }}

{{- define "agent.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "agent.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "agent.secret" -}}
{{- default (include "agent.fullname" .) .Values.secrets.existingSecret -}}
{{- end }}

{{- define "agent.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end }}

{{/* "true" or nothing. */}}
{{- define "agent.isManaged" -}}
{{- if eq (dig "kubernetes" "hub" "mode" "managed" .Values.config) "managed" -}}true{{- end -}}
{{- end }}

{{- define "agent.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where a DaemonSet's engine has its folder on the node, and its socket. The release's whole name
would be too long: a socket's path has at most 107 characters. */}}
{{- define "agent.engineFolder" -}}
{{- $hash := printf "%s/%s" .Release.Namespace .Release.Name | sha256sum | trunc 10 -}}
{{- printf "%s/%s-%s" (trimSuffix "/" .Values.builder.daemon.hostPath) (include "agent.member" . | trunc 20) $hash -}}
{{- end }}

{{- define "agent.engineSocket" -}}
{{- if has .Values.builder.kind (list "dind" "podman") -}}
{{- printf "%s/run/engine.sock" (include "agent.engineFolder" .) -}}
{{- else -}}
{{- .Values.builder.socket -}}
{{- end -}}
{{- end }}
