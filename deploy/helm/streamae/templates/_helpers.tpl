{{- define "streamae.fullname" -}}
{{- if contains "streamae" .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-streamae" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "streamae.selector" -}}
app.kubernetes.io/name: streamae
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Pods of the daemon, and not the one of `helm test`. */}}
{{- define "streamae.workers" -}}
{{ include "streamae.selector" . }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "streamae.labels" -}}
{{ include "streamae.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "streamae.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "streamae.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "streamae.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "streamae.env" -}}
- name: STREAMAE_HTTP__HOST
  value: 0.0.0.0
- name: STREAMAE_HTTP__PORT
  value: "9109"
- name: STREAMAE_STATE__DIRECTORY
  value: /var/lib/streamae/state
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "streamae.mounts" -}}
- name: config
  mountPath: /etc/streamae
  readOnly: true
- name: state
  mountPath: /var/lib/streamae
- name: tmp
  mountPath: /tmp
{{- if .Values.existingSecret }}
- name: secret
  mountPath: /run/secrets/streamae
  readOnly: true
{{- end }}
{{- end -}}

{{- define "streamae.volumes" -}}
- name: config
  configMap:
    name: {{ .Values.existingConfigMap | default (include "streamae.fullname" .) }}
- name: tmp
  emptyDir: {}
{{- with .Values.existingSecret }}
- name: secret
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* A list of the configuration, which may also be written `a, b`, as `a,b`. */}}
{{- define "streamae.joined" -}}
{{- if kindIs "slice" . }}{{ join "," . }}{{ else }}{{ . | replace " " "" }}{{ end -}}
{{- end -}}
