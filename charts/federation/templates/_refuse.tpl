{{/* What cannot work is refused before anything is installed, each with what to do instead. */}}

{{- define "federation.refuse" -}}
{{- include "federation.refuseMisplaced" . -}}
{{- include "federation.refuseSecrets" . -}}
{{- include "federation.refuseMembers" . -}}
{{- include "federation.refuseReplicas" . -}}
{{- include "federation.refuseAddresses" . -}}
{{- end }}

{{- define "federation.refuseMisplaced" -}}
{{- $places := dict
    "host" "the federation listens on all addresses of its pod"
    "port" "use service.port"
-}}
{{- range $name, $each := include "federation.secretSettings" . | fromYaml -}}
  {{- $_ := set $places $each.setting (printf "use secrets.%s or secrets.existingSecret" $name) -}}
{{- end -}}
{{- if include "federation.hasDisk" . -}}
  {{- $_ := set $places "steering.file" "persistence.enabled is true, choose one of the two" -}}
{{- end -}}
{{- if .Values.redis.bundled.enabled -}}
  {{- $_ := set $places "redis.url" "redis.bundled.enabled is true, choose one of the two" -}}
  {{- $_ := set $places "redis.tls_ca_file" "the bundled one speaks no TLS" -}}
{{- end -}}
{{- range $path, $advice := $places -}}
  {{- if include "federation.has" (dict "map" $.Values.config "path" (splitList "." $path)) -}}
    {{- fail (printf "config.%s is not for here: %s." $path $advice) -}}
  {{- end -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]*@" (dig "redis" "url" "" .Values.config) -}}
  {{- fail "config.redis.url holds a password: use secrets.redisPassword or secrets.existingSecret." -}}
{{- end -}}
{{- end }}

{{/* Not in the schema: its errors show the value. */}}
{{- define "federation.refuseSecrets" -}}
{{- $secrets := omit .Values.secrets "existingSecret" "rotating" -}}
{{- if .Values.secrets.existingSecret -}}
  {{- range $name, $value := $secrets -}}
    {{- if $value -}}
      {{- fail (printf "secrets.%s is not for here: secrets.existingSecret names the Secret that has it." $name) -}}
    {{- end -}}
  {{- end -}}
{{- else -}}
  {{- include "federation.refuseWeak" (dict "name" "adminToken" "value" $secrets.adminToken) -}}
  {{- include "federation.refuseWeak" (dict "name" "joiningKey" "value" $secrets.joiningKey "least" 32) -}}
  {{- range $name, $given := $secrets.adminTokens -}}
    {{- if not (kindIs "map" $given) -}}
      {{- fail (printf "secrets.adminTokens.%s must be a map: token (or token_sha256), scopes, expires." $name) -}}
    {{- end -}}
    {{- if not (or $given.token $given.token_sha256) -}}
      {{- fail (printf "secrets.adminTokens.%s.token is missing (or its hash, token_sha256)." $name) -}}
    {{- end -}}
    {{- include "federation.refuseWeak" (dict "name" (printf "adminTokens.%s.token" $name) "value" (default "" $given.token)) -}}
    {{- if not $given.scopes -}}
      {{- fail (printf "secrets.adminTokens.%s.scopes is missing: what the token may do, such as [read, prepare]." $name) -}}
    {{- end -}}
  {{- end -}}
  {{- range $number, $value := $secrets.tokenKeys -}}
    {{- include "federation.refuseWeak" (dict "name" (printf "tokenKeys[%d]" $number) "value" (default "-" $value) "least" 32) -}}
  {{- end -}}
  {{- range $place := list "memberCredentials" "oldMemberCredentials" "buildTokens" -}}
    {{- range $name, $value := get $secrets $place -}}
      {{- include "federation.refuseWeak" (dict "name" (printf "%s.%s" $place $name) "value" (default "-" $value)) -}}
    {{- end -}}
  {{- end -}}
  {{- if .Values.secrets.rotating -}}
    {{- fail "secrets.rotating is for an existingSecret: use secrets.oldMemberCredentials." -}}
  {{- end -}}
  {{- if and .Values.redis.bundled.enabled (not $secrets.redisPassword) -}}
    {{- fail "secrets.redisPassword is missing: the bundled Redis needs one (or name secrets.existingSecret)." -}}
  {{- end -}}
  {{- if .Values.redis.bundled.enabled -}}
    {{- include "federation.refuseWeak" (dict "name" "redisPassword" "value" $secrets.redisPassword) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "federation.refuseWeak" -}}
{{- $least := default 16 .least -}}
{{- if and .value (lt (len .value) (int $least)) -}}
  {{- fail (printf "secrets.%s is too short: a random text of at least %d characters is needed." .name (int $least)) -}}
{{- end -}}
{{- if regexMatch "[\\x00-\\x1f\"\\\\]" .value -}}
  {{- fail (printf "secrets.%s holds a quote, a backslash or a line's end: a random text of letters and digits does." .name) -}}
{{- end -}}
{{- end }}

{{- define "federation.refuseMembers" -}}
{{- $credentials := .Values.secrets.memberCredentials -}}
{{- $known := dict -}}
{{- range $number, $member := .Values.config.members -}}
  {{- $place := printf "config.members[%d]" $number -}}
  {{- $name := required (printf "%s.name is missing." $place) $member.name -}}
  {{- if hasKey $member "credential" -}}
    {{- fail (printf "%s.credential is not for here: use secrets.memberCredentials.%s or secrets.existingSecret." $place $name) -}}
  {{- end -}}
  {{- if hasKey $member "old_credentials" -}}
    {{- fail (printf "%s.old_credentials is not for here: use secrets.oldMemberCredentials.%s, or secrets.rotating." $place $name) -}}
  {{- end -}}
  {{- if hasKey $known $name -}}
    {{- fail (printf "%s.name: %q is used twice." $place $name) -}}
  {{- end -}}
  {{- $_ := set $known $name true -}}
  {{- $isAgent := ne (default "agent" $member.kind) "binderhub" -}}
  {{- if and (not $isAgent) (hasKey $credentials $name) -}}
    {{- fail (printf "secrets.memberCredentials.%s is not for here: a BinderHub has none." $name) -}}
  {{- end -}}
  {{- if and $isAgent (not $.Values.secrets.existingSecret) (not (hasKey $credentials $name)) -}}
    {{- fail (printf "secrets.memberCredentials.%s is missing: the text shared with this member (or name secrets.existingSecret)." $name) -}}
  {{- end -}}
{{- end -}}
{{- range $place := list "memberCredentials" "oldMemberCredentials" -}}
  {{- range $name, $_ := get $.Values.secrets $place -}}
    {{- if not (hasKey $known $name) -}}
      {{- fail (printf "secrets.%s.%s is not for here: config.members has no member of this name." $place $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range .Values.secrets.rotating -}}
  {{- if not (hasKey $known .) -}}
    {{- fail (printf "secrets.rotating: config.members has no member %q." .) -}}
  {{- end -}}
{{- end -}}
{{- /* A variable has room for 128 KiB; credentials of 64 characters are counted for each. */ -}}
{{- if gt (add (len (include "federation.members" .)) (mul 64 (len (default list .Values.config.members)))) 120000 -}}
  {{- fail "config.members is too long for a variable of the container: mount a federation.yaml of your own that has them." -}}
{{- end -}}
{{- end }}

{{- define "federation.refuseReplicas" -}}
{{- if and (gt (int (include "federation.mostReplicas" .)) 1) (not (include "federation.hasRedis" .)) -}}
  {{- fail (printf "%s: more than one replica needs Redis. Name it in config.redis.url, set redis.bundled.enabled, or make it 1." (ternary "autoscaling.maxReplicas" "replicas" .Values.autoscaling.enabled)) -}}
{{- end -}}
{{- if and .Values.persistence.enabled (include "federation.hasRedis" .) -}}
  {{- fail "persistence.enabled is for a federation without Redis: with one, what operators change is in Redis (redis.bundled.persistence, or your own Redis' disk)." -}}
{{- end -}}
{{- if and .Values.redis.bundled.persistence.enabled (not .Values.redis.bundled.enabled) -}}
  {{- fail "redis.bundled.persistence.enabled is true, but redis.bundled.enabled is not." -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
  {{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
    {{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." -}}
  {{- end -}}
  {{- if not (or .Values.autoscaling.cpu .Values.autoscaling.memory) -}}
    {{- fail "autoscaling.cpu and autoscaling.memory are both missing: what the number of replicas follows." -}}
  {{- end -}}
  {{- range list "cpu" "memory" -}}
    {{- if and (get $.Values.autoscaling .) (not (dig "requests" . "" $.Values.resources)) -}}
      {{- fail (printf "resources.requests.%s is missing: autoscaling.%s is a share of it." . .) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int (add .Values.preStopSeconds 15)) -}}
  {{- fail "terminationGracePeriodSeconds is too short: it must be 15 more than preStopSeconds." -}}
{{- end -}}
{{- end }}

{{- define "federation.refuseAddresses" -}}
{{- $public := default "" .Values.config.public_url -}}
{{- if .Values.ingress.enabled -}}
  {{- if not .Values.ingress.host -}}
    {{- fail "ingress.host is missing: the federation's name in the DNS." -}}
  {{- end -}}
  {{- if not (or $public .Values.ingress.tlsSecret) -}}
    {{- fail "config.public_url is missing: without ingress.tlsSecret the chart cannot tell whether browsers come by http or https." -}}
  {{- end -}}
  {{- if and .Values.ingress.tlsSecret (hasPrefix "http:" $public) -}}
    {{- fail "config.public_url begins with http://, but ingress.tlsSecret makes it https://." -}}
  {{- end -}}
{{- end -}}
{{- if .Values.httpRoute.enabled -}}
  {{- if not .Values.httpRoute.parentRefs -}}
    {{- fail "httpRoute.parentRefs is missing: the Gateways that are to lead here." -}}
  {{- end -}}
  {{- if not (or $public (and .Values.ingress.enabled .Values.ingress.tlsSecret)) -}}
    {{- fail "config.public_url is missing: the chart cannot tell whether browsers come to the Gateway by http or https." -}}
  {{- end -}}
{{- end -}}
{{- end }}
