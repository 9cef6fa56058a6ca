{{/* Rules of the NetworkPolicies. */}}

{{/* The internet: everything but what is blocked. An address family's blocks go to its own range. */}}
{{- define "federation.internet" -}}
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

{{- define "federation.dns" -}}
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
