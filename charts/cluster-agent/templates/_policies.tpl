{{/* Rules that several NetworkPolicies share. */}}

{{/* The internet: everything but what is blocked. An address family's blocks go to its own range. */}}
{{- define "agent.internet" -}}
{{- $four := list -}}
{{- $six := list -}}
{{- range concat .Values.networkPolicies.blocked .Values.networkPolicies.alsoBlocked -}}
  {{- if contains ":" . -}}
    {{- $six = append $six . -}}
  {{- else -}}
    {{- $four = append $four . -}}
  {{- end -}}
{{- end -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: {{ toJson $four }}
- ipBlock:
    cidr: "::/0"
    except: {{ toJson $six }}
{{- end }}

{{- define "agent.dns" -}}
{{- $dns := .Values.networkPolicies.dns -}}
to:
  {{- if kindIs "map" $dns.namespaceSelector }}
  - namespaceSelector: {{ toJson $dns.namespaceSelector }}
  {{- else if semverCompare ">=1.21.0-0" .Capabilities.KubeVersion.Version }}
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: kube-system
  {{- else }}
  - namespaceSelector: {}
  {{- end }}
    podSelector: {{ toJson $dns.podSelector }}
  {{- range $dns.addresses }}
  - ipBlock:
      cidr: {{ . | quote }}
  {{- end }}
ports:
  {{- range $dns.ports }}
  - protocol: UDP
    port: {{ . }}
  - protocol: TCP
    port: {{ . }}
  {{- end }}
{{- end }}

{{/* Ports of what the settings name for builds: a registry and a BuildKit at ports of their own. */}}
{{- define "agent.buildPorts" -}}
{{- $registry := dig "registry" "repository" "" .Values.config | toString -}}
{{- $found := list -}}
{{- range list (first (splitList "/" $registry)) .Values.builder.buildkitAddress -}}
  {{- with regexFind ":[0-9]+$" (. | toString) -}}
    {{- $found = append $found (trimPrefix ":" . | int) -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}
