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
    "credential" "BINDERFED_AGENT_CREDENTIAL"
    "registry-password" "BINDERFED_AGENT_REGISTRY__PASSWORD"
    "hub-api-token" "BINDERFED_AGENT_KUBERNETES__HUB__API_TOKEN"
    "github-token" "BINDERFED_AGENT_PROVIDERS__GITHUB__TOKEN"
    "github-client-secret" "BINDERFED_AGENT_PROVIDERS__GITHUB__CLIENT_SECRET"
-}}
{{- range $key, $variable := $variables -}}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
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
