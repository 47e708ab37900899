{{- /* Names are cut so that the longest suffix, "-analytics-" and ten letters of a component, fits 63 characters. */ -}}
{{- define "guanxi.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "guanxi.services" -}}accounts sales loyalty tickets analytics rollout console{{- end -}}

{{- define "guanxi.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "guanxi.labels" -}}
{{ include "guanxi.selector" . }}
app.kubernetes.io/part-of: guanxi
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "guanxi.annotations" -}}
{{- with .Values.commonAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "guanxi.image" -}}
{{- $i := .Values.image -}}
{{- $registry := default $i.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $i.repository -}}
{{- if $i.digest -}}@{{ $i.digest }}{{- else -}}:{{ default .Chart.AppVersion $i.tag }}{{- end -}}
{{- end -}}

{{- define "guanxi.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "guanxi.fullname" .) .Values.serviceAccount.name }}
{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end -}}

{{- /* The Jobs run before the release's own ServiceAccount is there, so they have one of theirs where the chart makes it. */ -}}
{{- define "guanxi.jobServiceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ include "guanxi.fullname" . }}-jobs{{- else -}}{{ include "guanxi.serviceAccount" . }}{{- end -}}
{{- end -}}

{{- /* The host a service is reached at; {service} stays in it where the argument is that. */ -}}
{{- define "guanxi.serviceName" -}}
{{- if eq .root.Values.mode "all-in-one" -}}{{ include "guanxi.fullname" .root }}{{- else -}}{{ include "guanxi.fullname" .root }}-{{ .service }}{{- end -}}
{{- end -}}

{{- define "guanxi.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "guanxi.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "guanxi.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The port of host:port or of a URL. */ -}}
{{- define "guanxi.port" -}}
{{- $at := regexReplaceAll "^[a-z]+://" . "" | splitList "/" | first -}}
{{- if regexMatch ":[0-9]+$" $at -}}{{ splitList ":" $at | last }}
{{- else if hasPrefix "http://" . -}}80{{- else -}}443{{- end -}}
{{- end -}}

{{- /* The whole configuration as environment variables; what is secret is not among it. */ -}}
{{- define "guanxi.config" -}}
GUANXI_ENV: {{ .Values.environment }}
GUANXI_LOG_LEVEL: {{ .Values.logLevel }}
GUANXI_HTTP_ADDR: 0.0.0.0:8080
GUANXI_HTTP_SHUTDOWN_DELAY: {{ .Values.http.shutdownDelay }}
{{- with .Values.http.trustedProxies }}
GUANXI_HTTP_TRUSTED_PROXIES: {{ join "," . | quote }}
{{- end }}
{{- if .Values.monitoring.metrics }}
GUANXI_METRICS_ADDR: 0.0.0.0:9090
{{- end }}
{{- $db := .Values.database }}
{{- $params := printf "sslmode=%s" $db.sslMode }}
{{- if and .Values.tls.caSecret (hasPrefix "verify-" $db.sslMode) }}{{ $params = printf "%s&sslrootcert=/etc/guanxi/ca/%s" $params .Values.tls.caKey }}{{ end }}
{{- if and .Values.tls.clientSecret (ne $db.sslMode "disable") }}{{ $params = printf "%s&sslcert=/etc/guanxi/tls/tls.crt&sslkey=/etc/guanxi/tls/tls.key" $params }}{{ end }}
GUANXI_PG_URL: {{ printf "postgres://{service}_{role}@%s:%d/%s{service}?%s" $db.host (int $db.port) $db.namePrefix $params | quote }}
GUANXI_PG_MAX_CONNS: {{ $db.maxConns | quote }}
GUANXI_KAFKA_BROKERS: {{ join "," .Values.kafka.brokers | quote }}
GUANXI_KAFKA_TLS: {{ .Values.kafka.tls | quote }}
{{- with .Values.kafka.sasl }}
GUANXI_KAFKA_SASL: {{ . }}
{{- end }}
GUANXI_TEMPORAL_ADDRESS: {{ .Values.temporal.address | quote }}
GUANXI_TEMPORAL_NAMESPACE: {{ .Values.temporal.namespace | quote }}
GUANXI_TEMPORAL_TLS: {{ .Values.temporal.tls | quote }}
GUANXI_OIDC_ISSUER: {{ .Values.oidc.issuer | quote }}
GUANXI_OIDC_AUDIENCE: {{ .Values.oidc.audience | quote }}
{{- if eq .Values.mode "services" }}
GUANXI_PEERS_URL: {{ printf "http://%s:%d" (include "guanxi.serviceName" (dict "root" . "service" "{service}")) (int .Values.service.port) | quote }}
{{- end }}
{{- with .Values.console }}
{{- if .url }}
GUANXI_CONSOLE_URL: {{ .url | quote }}
{{- end }}
GUANXI_CONSOLE_CLIENT_ID: {{ .clientId | quote }}
GUANXI_CONSOLE_SCOPES: {{ join "," .scopes | quote }}
GUANXI_CONSOLE_IDLE: {{ .idle }}
GUANXI_CONSOLE_ABSOLUTE: {{ .absolute }}
{{- with .workflowsUrl }}
GUANXI_CONSOLE_WORKFLOWS_URL: {{ . | quote }}
{{- end }}
{{- with .tracesUrl }}
GUANXI_CONSOLE_TRACES_URL: {{ . | quote }}
{{- end }}
{{- end }}
{{- if .Values.files.persistentVolumeClaim }}
GUANXI_BLOB_DIR: /var/lib/guanxi/files
{{- end }}
{{- with .Values.files.s3 }}
{{- if .endpoint }}
GUANXI_BLOB_S3_ENDPOINT: {{ .endpoint | quote }}
GUANXI_BLOB_S3_BUCKET: {{ .bucket | quote }}
{{- with .region }}
GUANXI_BLOB_S3_REGION: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.pdf.fonts }}
GUANXI_PDF_FONTS: {{ join "," . | quote }}
{{- end }}
{{- if .Values.tls.caSecret }}
SSL_CERT_DIR: /etc/ssl/certs:/etc/guanxi/ca
{{- end }}
{{- if .Values.tls.clientSecret }}
GUANXI_TLS_CERT: /etc/guanxi/tls/tls.crt
GUANXI_TLS_KEY: /etc/guanxi/tls/tls.key
{{- end }}
{{- if .Values.tracing.enabled }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ .Values.tracing.endpoint | quote }}
OTEL_TRACES_SAMPLER: {{ .Values.tracing.sampler }}
{{- with .Values.tracing.samplerArg }}
OTEL_TRACES_SAMPLER_ARG: {{ . | quote }}
{{- end }}
{{- end }}
{{- if .Values.database.pgpassKey }}
PGPASSFILE: /etc/guanxi/pgpass/pgpass
{{- end }}
{{- end -}}

{{- define "guanxi.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}
{{- end -}}

{{- /* What is secret, by reference. */ -}}
{{- define "guanxi.env" -}}
{{- $v := .Values -}}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_FLOW_KEY" "secret" $v.secrets.existingSecret "key" $v.secrets.flowKey) }}
{{- if $v.secrets.privacyKey }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_PRIVACY_KEY" "secret" $v.secrets.existingSecret "key" $v.secrets.privacyKey) }}
{{- end }}
{{- if not $v.database.pgpassKey }}
{{ include "guanxi.fromSecret" (dict "name" "PGPASSWORD" "secret" $v.database.existingSecret "key" $v.database.passwordKey) }}
{{- end }}
{{- if $v.kafka.sasl }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_KAFKA_USERNAME" "secret" $v.kafka.existingSecret "key" $v.kafka.usernameKey) }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_KAFKA_PASSWORD" "secret" $v.kafka.existingSecret "key" $v.kafka.passwordKey) }}
{{- end }}
{{- if $v.files.s3.existingSecret }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_BLOB_S3_ACCESS_KEY" "secret" $v.files.s3.existingSecret "key" $v.files.s3.accessKey) }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_BLOB_S3_SECRET_KEY" "secret" $v.files.s3.existingSecret "key" $v.files.s3.secretKey) }}
{{- end }}
{{- if $v.console.existingSecret }}
{{- if $v.console.clientSecretKey }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_CONSOLE_CLIENT_SECRET" "secret" $v.console.existingSecret "key" $v.console.clientSecretKey) }}
{{- end }}
{{- if $v.console.sealKey }}
{{ include "guanxi.fromSecret" (dict "name" "GUANXI_CONSOLE_KEY" "secret" $v.console.existingSecret "key" $v.console.sealKey) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "guanxi.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.tls.caSecret }}
- {name: ca, mountPath: /etc/guanxi/ca, readOnly: true}
{{- end }}
{{- if .Values.tls.clientSecret }}
- {name: tls, mountPath: /etc/guanxi/tls, readOnly: true}
{{- end }}
{{- if .Values.database.pgpassKey }}
- {name: pgpass, mountPath: /etc/guanxi/pgpass, readOnly: true}
{{- end }}
{{- end -}}

{{- define "guanxi.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- if .Values.tls.caSecret }}
- name: ca
  secret:
    secretName: {{ .Values.tls.caSecret }}
    items: [{key: {{ .Values.tls.caKey }}, path: {{ .Values.tls.caKey }}}]
{{- end }}
{{- if .Values.tls.clientSecret }}
- name: tls
  secret: {secretName: {{ .Values.tls.clientSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.database.pgpassKey }}
- name: pgpass
  secret:
    secretName: {{ .Values.database.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .Values.database.pgpassKey }}, path: pgpass}]
{{- end }}
{{- end -}}

{{- define "guanxi.placement" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
{{ toYaml . | indent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{- /* The Deployments of this installation: JSON list of {name, service, component, args, ...}. */ -}}
{{- define "guanxi.deployments" -}}
{{- $root := . -}}{{- $all := list -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- $all = append $all (dict "name" (include "guanxi.fullname" .) "service" "all" "component" "all" "http" true "args" (list "serve") "spec" .Values.allInOne) -}}
{{- else -}}
{{- range $service := splitList " " (include "guanxi.services" .) -}}
{{- $own := index $root.Values.services $service | default dict -}}
{{- range $component, $shared := $root.Values.components -}}
{{- if $shared -}}
{{- $spec := mergeOverwrite (deepCopy $shared) (deepCopy (index ($own.components | default dict) $component | default dict)) -}}
{{- $args := list "serve" (printf "--services=%s" $service) (printf "--run=%s" (join "," $spec.run)) -}}
{{- $all = append $all (dict "name" (printf "%s-%s-%s" (include "guanxi.fullname" $root) $service $component) "service" $service "component" $component "http" (has "http" $spec.run) "args" $args "spec" $spec) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}
