{{/*
agent.yaml: the operator's settings with what follows from the chart's other values. Settings that
have one place in the chart are refused in `config`, so that the two cannot contradict each other.
*/}}

{{- define "agent.config" -}}
{{- include "agent.refuse" . -}}
{{- $config := deepCopy .Values.config -}}
{{- $defaults := include "agent.overridable" . | fromYaml -}}
{{- $chosen := include "agent.chosen" . | fromYaml -}}
{{- mergeOverwrite $defaults $config $chosen | toYaml -}}
{{- end }}

{{/* What `config` may say otherwise. */}}
{{- define "agent.overridable" -}}
kubernetes:
  hub:
    mode: managed
    {{- if and .Values.ingress.enabled .Values.ingress.proxy.host }}
    public_url: {{ printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.proxy.tlsSecret "")) .Values.ingress.proxy.host }}
    {{- end }}
  build:
    image: {{ include "agent.image" . | quote }}
    image_pull_policy: {{ .Values.image.pullPolicy }}
    {{- with .Values.image.pullSecrets }}
    image_pull_secrets: {{ toJson . }}
    {{- end }}
{{- end }}

{{/* What `config` may not say. */}}
{{- define "agent.chosen" -}}
name: {{ include "agent.member" . | quote }}
host: 0.0.0.0
port: 8585
state_dir: /var/lib/binder/agent
stack: kubernetes
isolation:
  network_policies: {{ .Values.networkPolicies.enabled }}
{{- if .Values.join.url }}
join:
  url: {{ trimSuffix "/" .Values.join.url | quote }}
  agent_url: {{ include "agent.url" . | quote }}
  secret: {{ include "agent.membership" . }}
{{- end }}
kubernetes:
  namespace: {{ .Release.Namespace }}
  may_read_nodes: {{ .Values.rbac.nodes }}
  {{- if include "agent.isManaged" . }}
  hub:
    host: 0.0.0.0
    port: 8000
  {{- end }}
  build:
    {{- if eq .Values.builder.kind "buildkit" }}
    buildkit_address: {{ .Values.builder.buildkitAddress | quote }}
    {{- else }}
    engine_socket: {{ include "agent.engineSocket" . | quote }}
    {{- end }}
    {{- with .Values.builder.nodeSelector }}
    node_selector: {{ toJson . }}
    {{- end }}
    {{- with .Values.builder.tolerations }}
    tolerations: {{ toJson . }}
    {{- end }}
{{- end }}

{{/* Whether a map has something at a path; "true" or nothing. */}}
{{- define "agent.has" -}}
{{- $first := first .path -}}
{{- if and (kindIs "map" .map) (hasKey (default dict .map) $first) -}}
  {{- $rest := rest .path -}}
  {{- if $rest -}}
    {{- include "agent.has" (dict "map" (get .map $first) "path" $rest) -}}
  {{- else -}}
    true
  {{- end -}}
{{- end -}}
{{- end }}

{{/* Contradictions, each with what to do instead. */}}
{{- define "agent.refuse" -}}
{{- $config := .Values.config -}}
{{- $places := dict
    "host" "the agent listens on all addresses of its pod"
    "port" "use services.api.port"
    "state_dir" "use persistence"
    "stack" "this chart is for the stack kubernetes"
    "local" "this chart is for the stack kubernetes"
    "docker" "this chart is for the stack kubernetes"
    "credential" "use secrets.credential or secrets.existingSecret"
    "old_credentials" "use secrets.oldCredentials or secrets.existingSecret"
    "join" "use join"
    "registry.password" "use secrets.registryPassword or secrets.existingSecret"
    "providers.github.token" "use secrets.githubToken or secrets.existingSecret"
    "providers.github.client_secret" "use secrets.githubClientSecret or secrets.existingSecret"
    "isolation.network_policies" "use networkPolicies.enabled"
    "kubernetes.namespace" "builds and servers run in the release's namespace"
    "kubernetes.context" "the agent uses its service account"
    "kubernetes.may_read_nodes" "use rbac.nodes"
    "kubernetes.hub.host" "use services.proxy"
    "kubernetes.hub.port" "use services.proxy.port"
    "kubernetes.hub.api_token" "use secrets.hubApiToken or secrets.existingSecret"
    "kubernetes.build.engine_socket" "use builder.socket"
    "kubernetes.build.buildkit_address" "use builder.buildkitAddress"
    "kubernetes.build.node_selector" "use builder.nodeSelector"
    "kubernetes.build.tolerations" "use builder.tolerations"
-}}
{{- range $path, $advice := $places -}}
  {{- if include "agent.has" (dict "map" $config "path" (splitList "." $path)) -}}
    {{- fail (printf "config.%s is not for here: %s." $path $advice) -}}
  {{- end -}}
{{- end -}}
{{- include "agent.refuseMissing" . -}}
{{- end }}

{{- define "agent.refuseMissing" -}}
{{- $hub := dig "kubernetes" "hub" dict .Values.config -}}
{{- $isManaged := include "agent.isManaged" . -}}
{{- if not (or $hub.public_url (and $isManaged .Values.ingress.enabled .Values.ingress.proxy.host)) -}}
  {{- fail "config.kubernetes.hub.public_url is missing: where users' browsers reach the hub's proxy (or set ingress.enabled and ingress.proxy.host)." -}}
{{- end -}}
{{- if and $isManaged (gt (int .Values.replicas) 1) -}}
  {{- fail "replicas: a managed hub has one agent. Use config.kubernetes.hub.mode: external for more." -}}
{{- end -}}
{{- if and (not $isManaged) (not $hub.api_url) -}}
  {{- fail "config.kubernetes.hub.api_url is missing: the external hub's API, as the agent reaches it." -}}
{{- end -}}
{{- include "agent.refuseJoin" . -}}
{{- if not (or .Values.join.url .Values.secrets.existingSecret .Values.secrets.credential) -}}
  {{- fail "secrets.credential is missing: the text shared with the federation (or name secrets.existingSecret, or set join.url and join.token)." -}}
{{- end -}}
{{- /* Not in the schema: its errors show the value. */ -}}
{{- if and .Values.secrets.credential (lt (len .Values.secrets.credential) 16) -}}
  {{- fail "secrets.credential is too short: a random text of at least 16 characters is needed." -}}
{{- end -}}
{{- if not (or $isManaged .Values.secrets.existingSecret .Values.secrets.hubApiToken) -}}
  {{- fail "secrets.hubApiToken is missing: the token of the external hub's service (or name secrets.existingSecret)." -}}
{{- end -}}
{{- if and (ne .Values.builder.kind "host-socket") (not (dig "registry" "repository" "" .Values.config)) -}}
  {{- fail (printf "config.registry.repository is missing: what builder.kind %s makes reaches the nodes through a registry." .Values.builder.kind) -}}
{{- end -}}
{{- if and (eq .Values.builder.kind "buildkit") (not .Values.builder.buildkitAddress) -}}
  {{- fail "builder.buildkitAddress is missing: tcp://host:port of the BuildKit." -}}
{{- end -}}
{{- end }}

{{/* Joining by an invitation. */}}
{{- define "agent.refuseJoin" -}}
{{- if .Values.join.url -}}
  {{- if not (regexMatch "^https?://[^/]+" .Values.join.url) -}}
    {{- fail "join.url begins with https:// (or http://): the federation's address." -}}
  {{- end -}}
  {{- if or .Values.secrets.credential .Values.secrets.oldCredentials -}}
    {{- fail "secrets.credential is not for join: the invitation brings one. Take one of them out." -}}
  {{- end -}}
  {{- if hasKey .Values.config "federation_url" -}}
    {{- fail "config.federation_url follows from join.url: take it out." -}}
  {{- end -}}
  {{- if not (include "agent.url" .) -}}
    {{- fail "join.agentUrl is missing: where the federation reaches the agent (or set ingress.enabled and ingress.api.host)." -}}
  {{- end -}}
  {{- if gt (int .Values.replicas) 1 -}}
    {{- fail "replicas: a membership belongs to one agent. Leave it at 1 with join." -}}
  {{- end -}}
  {{- if and .Release.IsInstall (not (or .Values.join.token .Values.join.existingSecret .Values.secrets.existingSecret)) -}}
    {{- fail "join.token is missing: the invitation of the federation's operator (or name join.existingSecret)." -}}
  {{- end -}}
{{- else if or .Values.join.token .Values.join.existingSecret .Values.join.agentUrl -}}
  {{- fail "join.url is missing: the federation's address." -}}
{{- end -}}
{{- if and .Values.join.token (not (regexMatch "^bfi_[A-Za-z0-9-]+\\.[A-Za-z0-9_-]{16,}$" .Values.join.token)) -}}
  {{- fail "join.token is no invitation's token: it begins with bfi_ and has a dot in it; copy all of it." -}}
{{- end -}}
{{- end }}

{{/* Where the federation reaches the agent; "" when that is not known. */}}
{{- define "agent.url" -}}
{{- if .Values.join.agentUrl -}}
{{- trimSuffix "/" .Values.join.agentUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.api.host -}}
{{- printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.api.tlsSecret "")) .Values.ingress.api.host -}}
{{- end -}}
{{- end }}

{{/* The Secret that keeps the membership. */}}
{{- define "agent.membership" -}}
{{- printf "%s-membership" (include "agent.fullname" .) -}}
{{- end }}
