#!/bin/sh
# Makes the image of a repository ahead of its visitors, and fails when it does not build.
#
#   trigger-build.sh https://binder.example.org gh/owner/name/ref
#
# Each event of the stream is a line `data: {...}`. With `build_only` no server is started, and
# the last event is `ready` all the same. It needs nothing but sh, curl and grep.
set -eu

federation=${1%/}
spec=$2
last=$(
    curl --silent --show-error --fail-with-body --no-buffer --location --max-time 5400 \
        --header "Accept: text/event-stream" "$federation/build/$spec?build_only=true" |
        grep --line-buffered "^data:" |
        tee /dev/stderr |
        grep --max-count=1 --extended-regexp '"phase": "(ready|failed)"'
) || { echo "The federation gave no answer." >&2; exit 2; }

case $last in
    *'"phase": "ready"'*) echo "$spec is built." ;;
    *) echo "$spec could not be built." >&2; exit 1 ;;
esac
