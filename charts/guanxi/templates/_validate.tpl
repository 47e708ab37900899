{{- /* What values cannot be: each sentence says what to do. The schema has judged types and unknown keys before. */ -}}
{{- define "guanxi.validate" -}}
{{- $v := .Values -}}
{{- $bad := list -}}
{{- if hasKey $v "postgresql" }}{{ $bad = append $bad "postgresql was removed: bring your own database and describe it under database" }}{{ end -}}
{{- if hasKey $v "sales" }}{{ $bad = append $bad "sales was removed: sales.quoteFonts is now pdf.fonts, for all services" }}{{ end -}}
{{- if hasKey $v "flowKey" }}{{ $bad = append $bad "flowKey was removed: no secret is taken in clear; put it into a Secret and name that in secrets.existingSecret" }}{{ end -}}
{{- if not $v.secrets.existingSecret }}{{ $bad = append $bad "secrets.existingSecret: name the Secret that has the key flow-key, at least 32 random bytes" }}{{ end -}}
{{- if not $v.database.host }}{{ $bad = append $bad "database.host: name the PostgreSQL server" }}{{ end -}}
{{- if not $v.database.existingSecret }}{{ $bad = append $bad "database.existingSecret: name the Secret with the password (key password), or with a pgpass file (database.pgpassKey)" }}{{ end -}}
{{- if not $v.kafka.brokers }}{{ $bad = append $bad "kafka.brokers: name at least one host:port" }}{{ end -}}
{{- if and $v.kafka.sasl (not $v.kafka.existingSecret) }}{{ $bad = append $bad "kafka.existingSecret: kafka.sasl is set, so name the Secret with username and password" }}{{ end -}}
{{- if and $v.kafka.existingSecret (not $v.kafka.sasl) }}{{ $bad = append $bad "kafka.sasl: kafka.existingSecret is set, so name the mechanism (PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512)" }}{{ end -}}
{{- if and (eq $v.kafka.sasl "PLAIN") (not $v.kafka.tls) }}{{ $bad = append $bad "kafka.sasl: PLAIN sends the password as it is, so it needs kafka.tls" }}{{ end -}}
{{- if not $v.temporal.address }}{{ $bad = append $bad "temporal.address: name the frontend, host:port" }}{{ end -}}
{{- if not $v.oidc.issuer }}{{ $bad = append $bad "oidc.issuer: name the URL of the identity provider" }}{{ end -}}
{{- if and (eq $v.environment "production") (hasPrefix "http://" $v.oidc.issuer) }}{{ $bad = append $bad "oidc.issuer: must be https in production" }}{{ end -}}
{{- if and $v.tracing.enabled (not $v.tracing.endpoint) }}{{ $bad = append $bad "tracing.endpoint: tracing is on, so name the OTLP/HTTP endpoint such as http://otel-collector:4318, or set tracing.enabled=false" }}{{ end -}}
{{- if and $v.tls.clientSecret (not (or $v.kafka.tls $v.temporal.tls (ne $v.database.sslMode "disable"))) }}{{ $bad = append $bad "tls.clientSecret: nothing is spoken to by TLS that could ask for the certificate" }}{{ end -}}
{{- $s3 := $v.files.s3 -}}
{{- if and $s3.endpoint $v.files.persistentVolumeClaim }}{{ $bad = append $bad "files: give either s3 or persistentVolumeClaim, not both" }}{{ end -}}
{{- if not (or $s3.endpoint $v.files.persistentVolumeClaim) }}{{ $bad = append $bad "files: tickets keeps files; give files.s3.endpoint and files.s3.bucket, or files.persistentVolumeClaim" }}{{ end -}}
{{- if and $s3.endpoint (not $s3.bucket) }}{{ $bad = append $bad "files.s3.bucket: name the bucket" }}{{ end -}}
{{- if and $v.ingress.enabled $v.gateway.enabled }}{{ $bad = append $bad "ingress, gateway: enable one of them" }}{{ end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) }}{{ $bad = append $bad "ingress.host: name the host" }}{{ end -}}
{{- if and $v.gateway.enabled (not $v.gateway.parentRefs) }}{{ $bad = append $bad "gateway.parentRefs: name the Gateway" }}{{ end -}}
{{- if and (or $v.monitoring.serviceMonitor.enabled $v.monitoring.rules.enabled) (not $v.monitoring.metrics) }}{{ $bad = append $bad "monitoring.metrics: must be true, since monitoring.serviceMonitor or monitoring.rules looks at metrics" }}{{ end -}}
{{- $run := dict -}}
{{- range $component, $spec := $v.components -}}
{{- if $spec -}}
{{- range $role := $spec.run -}}
{{- if hasKey $run $role }}{{ $bad = append $bad (printf "components: the role %s is run by both %s and %s" $role (get $run $role) $component) }}{{ end -}}
{{- $_ := set $run $role $component -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $role := list "http" "consumers" "workers" "relay" -}}
{{- if not (hasKey $run $role) }}{{ $bad = append $bad (printf "components: no component runs the role %s" $role) }}{{ end -}}
{{- end -}}
{{- range $service, $own := $v.services -}}
{{- range $component, $_ := ($own | default dict).components -}}
{{- if not (index $v.components $component) }}{{ $bad = append $bad (printf "services.%s.components.%s: there is no components.%s" $service $component $component) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $d := include "guanxi.deployments" . | fromJsonArray -}}
{{- with $d.spec.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}{{ $bad = append $bad (printf "%s: autoscaling.minReplicas is more than maxReplicas" $d.name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if le (int $v.terminationGracePeriodSeconds) 30 }}{{ $bad = append $bad "terminationGracePeriodSeconds: must be more than 30, the time in which the program answers the requests in flight" }}{{ end -}}
{{- if $bad }}{{ fail (printf "\nThese values do not fit:\n  - %s" (join "\n  - " $bad)) }}{{ end -}}
{{- end -}}
