{{/*
What is secret: where the values give it, its key in the Secret, and the setting that it is.

A setting `a.b` is read from the variable BINDERFED_A__B. A member's credential is an item of a list,
which a variable cannot change: so the whole list of members is a variable, into which Kubernetes
puts the credentials when it starts the container.
*/}}

{{- define "federation.secretSettings" -}}
adminToken: {key: admin-token, setting: admin.token}
adminTokens: {key: admin-tokens, setting: admin.tokens}
joiningKey: {key: joining-key, setting: joining.key}
redisPassword: {key: redis-password, setting: redis.password}
tokenKeys: {key: token-keys, setting: tokens.keys}
buildTokens: {key: build-tokens, setting: builds.tokens}
githubToken: {key: github-token, setting: providers.github.token}
githubClientSecret: {key: github-client-secret, setting: providers.github.client_secret}
gitlabPrivateToken: {key: gitlab-private-token, setting: providers.gitlab.private_token}
gitlabAccessToken: {key: gitlab-access-token, setting: providers.gitlab.access_token}
bitbucketToken: {key: bitbucket-token, setting: providers.bitbucket.token}
bitbucketAppPassword: {key: bitbucket-app-password, setting: providers.bitbucket.app_password}
{{- end }}

{{/* The variables of the federation's container that come from the Secret. */}}
{{- define "federation.environment" -}}
{{- $secret := include "federation.secret" . -}}
{{- range $name, $each := include "federation.secretSettings" . | fromYaml }}
{{- if or (ne $name "redisPassword") (include "federation.hasRedis" $) }}
- name: BINDERFED_{{ $each.setting | replace "." "__" | upper }}
  valueFrom:
    secretKeyRef:
      name: {{ ternary (include "federation.joiningSecret" $) $secret (has $name (include "federation.madeByHelm" $ | fromJsonArray)) }}
      key: {{ $each.key }}
      optional: {{ not (and (eq $name "redisPassword") $.Values.redis.bundled.enabled) }}
{{- end }}
{{- end }}
# For the command `binderfed` in this container.
- name: BINDERFED_ADMIN_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ ternary (include "federation.joiningSecret" .) $secret (has "adminToken" (include "federation.madeByHelm" . | fromJsonArray)) }}
      key: admin-token
      optional: true
{{- range .Values.config.members }}
{{- if ne (default "agent" .kind) "binderhub" }}
- name: {{ include "federation.credentialVariable" .name }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: member-{{ .name }}
{{- if has .name (include "federation.rotating" $ | fromJsonArray) }}
- name: OLD_{{ include "federation.credentialVariable" .name }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: old-member-{{ .name }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.config.members }}
# After the variables that it refers to.
- name: BINDERFED_MEMBERS
  value: {{ include "federation.members" . | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where the joining key is: Helm keeps its own one apart, as nothing may remove it. */}}
{{- define "federation.joiningSecret" -}}
{{- default (printf "%s-joining" (include "federation.fullname" .)) .Values.secrets.existingSecret -}}
{{- end }}

{{/* What Helm makes where the values have none, in that Secret. As JSON. */}}
{{- define "federation.madeByHelm" -}}
{{- $needsToken := not (or .Values.secrets.existingSecret .Values.secrets.adminToken) -}}
{{- ternary (list "joiningKey" "adminToken") (list "joiningKey") $needsToken | toJson -}}
{{- end }}

{{/* The operator's token: what Helm made before, or a new one. */}}
{{- define "federation.adminToken" -}}
{{- $name := include "federation.joiningSecret" . -}}
{{- $before := dig "data" "admin-token" "" (lookup "v1" "Secret" .Release.Namespace $name) -}}
{{- $before | b64dec | default (randAlphaNum 48) -}}
{{- end }}

{{/* What was given; else what Helm made before; else a new one. */}}
{{- define "federation.joiningKey" -}}
{{- $name := include "federation.joiningSecret" . -}}
{{- $before := dig "data" "joining-key" "" (lookup "v1" "Secret" .Release.Namespace $name) -}}
{{- .Values.secrets.joiningKey | default ($before | b64dec) | default (randAlphaNum 48) -}}
{{- end }}

{{/* Settings that are lists in JSON: name → a token, or name → a map. */}}
{{- define "federation.namedTokens" -}}
{{- $tokens := list -}}
{{- range $name, $given := . -}}
  {{- $token := ternary $given (dict "token" $given) (kindIs "map" $given) -}}
  {{- $tokens = append $tokens (merge (dict "name" $name) $token) -}}
{{- end -}}
{{- toJson $tokens -}}
{{- end }}

{{- define "federation.credentialVariable" -}}
CREDENTIAL_OF_{{ . | replace "-" "_" | upper }}
{{- end }}

{{/* The members of which an old credential is accepted as well, as JSON. */}}
{{- define "federation.rotating" -}}
{{- concat .Values.secrets.rotating (keys .Values.secrets.oldMemberCredentials) | toJson -}}
{{- end }}

{{/* The members as JSON. `$$(` is Kubernetes' way to write `$(` where no variable is meant. */}}
{{- define "federation.members" -}}
{{- $members := list -}}
{{- $rotating := include "federation.rotating" . | fromJsonArray -}}
{{- range .Values.config.members -}}
  {{- $member := toJson . | replace "$(" "$$(" -}}
  {{- if ne (default "agent" .kind) "binderhub" -}}
    {{- $variable := include "federation.credentialVariable" .name -}}
    {{- $old := ternary (printf `,"old_credentials":["$(OLD_%s)"]` $variable) "" (has .name $rotating) -}}
    {{- $member = printf `%s,"credential":"$(%s)"%s}` (trimSuffix "}" $member) $variable $old -}}
  {{- end -}}
  {{- $members = append $members $member -}}
{{- end -}}
[{{ join "," $members }}]
{{- end }}
