{{/*
federation.yaml: the operator's settings with what follows from the chart's other values. Settings
that have one place in the chart are refused in `config`, so that the two cannot contradict each other.
The members go another way: _secrets.tpl.
*/}}

{{- define "federation.config" -}}
{{- include "federation.refuse" . -}}
{{- $config := omit (deepCopy .Values.config) "members" -}}
{{- $defaults := include "federation.overridable" . | fromYaml -}}
{{- $chosen := include "federation.chosen" . | fromYaml -}}
{{- mergeOverwrite $defaults $config $chosen | toYaml -}}
{{- end }}

{{/* What `config` may say otherwise. */}}
{{- define "federation.overridable" -}}
{{- if and .Values.ingress.enabled .Values.ingress.tlsSecret }}
public_url: https://{{ .Values.ingress.host }}
{{- end }}
{{- end }}

{{/* What `config` may not say. */}}
{{- define "federation.chosen" -}}
host: 0.0.0.0
port: 8080
{{- if include "federation.hasDisk" . }}
steering:
  file: /var/lib/binder/steering.json
{{- end }}
{{- if .Values.redis.bundled.enabled }}
redis:
  url: redis://{{ include "federation.fullname" . }}-redis:6379/0
{{- end }}
{{- end }}

{{/* Whether a map has something at a path; "true" or nothing. */}}
{{- define "federation.has" -}}
{{- $first := first .path -}}
{{- if and (kindIs "map" .map) (hasKey (default dict .map) $first) -}}
  {{- $rest := rest .path -}}
  {{- if $rest -}}
    {{- include "federation.has" (dict "map" (get .map $first) "path" $rest) -}}
  {{- else -}}
    true
  {{- end -}}
{{- end -}}
{{- end }}
