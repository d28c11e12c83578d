#!/bin/sh
# What the tests need beside Python: installed where that is possible, else named.
set -eu

missing=""
for pair in java:openjdk-17-jre-headless mvn:maven chromium:chromium promtool:prometheus \
    prometheus-alertmanager:prometheus-alertmanager; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "the tests need these Debian packages, or what holds the same commands:$missing" >&2
    exit 1
fi
