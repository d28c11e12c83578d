#!/bin/sh
# What the tests need beside Python: installed where that is possible, else named.
set -eu

missing=""
for pair in java:openjdk-17-jre-headless mvn:maven chromium:chromium promtool:prometheus \
    prometheus-alertmanager:prometheus-alertmanager; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing$missing"
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
    else
        echo "the tests need these Debian packages, or what holds the same commands:$missing" >&2
        exit 1
    fi
fi

# Debian has no helm.
bin="$(dirname "$0")/../.cache/bin"
if ! command -v helm >/dev/null && [ ! -x "$bin/helm" ]; then
    if command -v go >/dev/null; then
        echo "installing helm: a minute"
        mkdir -p "$bin"
        GOBIN="$(cd "$bin" && pwd)" go install helm.sh/helm/v3/cmd/helm@v3.22.0
    else
        echo "the tests need the command helm, version 3; with Go 1.21 or later it is built here" >&2
        exit 1
    fi
fi
