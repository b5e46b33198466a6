#!/bin/sh
# What a container is given is its command; a bare option or a script is for bun.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ]; then set -- bun "$@"; fi
exec "$@"
