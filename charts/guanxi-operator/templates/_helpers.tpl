{{- define "operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* What is not of a namespace is named by the namespace as well: two releases do not share it. */ -}}
{{- define "operator.clusterName" -}}
{{- printf "%s-%s" (include "operator.fullname" . | trunc 31 | trimSuffix "-") (.Release.Namespace | trunc 31) | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/part-of: guanxi
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "operator.image" -}}
{{- $i := .Values.image -}}
{{- with default $i.registry .Values.global.imageRegistry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $i.repository -}}
{{- if $i.digest -}}@{{ $i.digest }}{{- else -}}:{{ default .Chart.AppVersion $i.tag }}{{- end -}}
{{- end -}}

{{- /* The rules of one kind of role, as the operator's program declares them; system is there the operator's own namespace. */ -}}
{{- define "operator.rules" -}}
{{- $kind := .kind -}}
{{- range regexSplit "(?m)^---$" (.root.Files.Get "files/role.yaml") -1 -}}
{{- $one := fromYaml . -}}
{{- if eq (get $one "kind" | toString) $kind -}}
{{- range $one.rules -}}
{{- if eq (get . "resourceNames" | default list | join ",") "system" }}{{ $_ := set . "resourceNames" (list $.root.Release.Namespace) }}{{ end -}}
{{- end -}}
{{ toYaml $one.rules }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* The port of host:port or of a URL. */ -}}
{{- define "operator.port" -}}
{{- $at := regexReplaceAll "^[a-z]+://" . "" | splitList "/" | first -}}
{{- if regexMatch ":[0-9]+$" $at -}}{{ splitList ":" $at | last }}
{{- else if hasPrefix "http://" . -}}80{{- else -}}443{{- end -}}
{{- end -}}
