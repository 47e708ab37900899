{{- /* The name of a StatefulSet leaves room for the hash in the labels of its pods. */ -}}
{{- define "deps.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end -}}

{{- define "deps.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "deps.labels" -}}
{{ include "deps.selector" . }}
app.kubernetes.io/part-of: guanxi
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "deps.image" -}}
{{- $i := .Values.image -}}
{{- with default $i.registry .Values.global.imageRegistry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $i.repository -}}
{{- if $i.digest -}}@{{ $i.digest }}{{- else -}}:{{ default .Chart.AppVersion $i.tag }}{{- end -}}
{{- end -}}

{{- /* What each part is started with, and its ports; the first is the one that shows whether it runs. */ -}}
{{- define "deps.parts" -}}
{{- $name := include "deps.name" . }}
postgres:
  ports: {postgres: 5432}
  secrets: {POSTGRES_PASSWORD: postgres-password}
  args: ["--port=5432", "--password=$(POSTGRES_PASSWORD)"]
kafka:
  ports: {kafka: 9092}
  args: ["--port=9092", "--advertise={{ $name }}-kafka:9092"]
temporal:
  ports: {grpc: 7233, web: 8233}
  secrets: {POSTGRES_PASSWORD: postgres-password}
  args:
    - --port=7233
    - --web-port=8233
    - --internal-ports=7234,7235,7236,7237,7238,7239,7240
    - --postgres=postgres://postgres:$(POSTGRES_PASSWORD)@{{ $name }}-postgres:5432/postgres?sslmode=disable
issuer:
  ports: {http: 8180}
  secrets: {ISSUER_SECRET: issuer-secret}
  args: ["--port=8180", "--url=http://{{ $name }}-issuer:8180", "--secret=$(ISSUER_SECRET)"]
traces:
  ports: {otlp: 4318}
  args: ["--port=4318"]
{{- end -}}
