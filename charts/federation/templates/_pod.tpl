{{/* Parts of the federation's pods. */}}

{{- define "federation.probe" -}}
httpGet:
  path: {{ . }}
  port: http
{{- end }}

{{/* What a container may not, of every pod of this chart. */}}
{{- define "federation.containerSecurity" -}}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Whose pod it is, by number: Kubernetes can tell that it is not root. */}}
{{- define "federation.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Replicas keep away from each other where they can: first from nodes, then from zones. */}}
{{- define "federation.placing" -}}
{{- $selector := include "federation.selector" (dict "root" . "component" "federation") -}}
{{- if .Values.affinity -}}
affinity: {{ toJson .Values.affinity }}
{{- else -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
{{- end }}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end }}
