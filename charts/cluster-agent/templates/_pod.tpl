{{/* Parts of the agent's pod. */}}

{{- define "agent.probe" -}}
httpGet:
  path: /versions
  port: api
{{- end }}

{{/* What is secret comes from a Secret, under the names that the agent's settings have. */}}
{{- define "agent.environment" -}}
{{- $secret := include "agent.secret" . -}}
{{- $variables := dict
    "registry-password" "BINDERFED_AGENT_REGISTRY__PASSWORD"
    "hub-api-token" "BINDERFED_AGENT_KUBERNETES__HUB__API_TOKEN"
    "github-token" "BINDERFED_AGENT_PROVIDERS__GITHUB__TOKEN"
    "github-client-secret" "BINDERFED_AGENT_PROVIDERS__GITHUB__CLIENT_SECRET"
-}}
{{- if .Values.join.url -}}
{{- $_ := set $variables "join-token" "BINDERFED_AGENT_JOIN__TOKEN" -}}
{{- else -}}
{{- $_ := set $variables "credential" "BINDERFED_AGENT_CREDENTIAL" -}}
{{- $_ := set $variables "old-credentials" "BINDERFED_AGENT_OLD_CREDENTIALS" -}}
{{- end -}}
{{- $join := default $secret .Values.join.existingSecret -}}
{{- range $key, $variable := $variables -}}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ ternary $join $secret (eq $key "join-token") }}
      key: {{ $key }}
      optional: {{ ne $key "credential" }}
{{ end -}}
{{- with .Values.extraEnv -}}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent.affinity" -}}
{{- if .Values.affinity -}}
affinity: {{ toJson .Values.affinity }}
{{- else if gt (int .Values.replicas) 1 -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "agent.selector" (dict "root" . "component" "agent") | nindent 14 }}
{{- end -}}
{{- end }}
