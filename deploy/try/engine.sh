# A container engine without an uplink, from Debian's packages, for deploy/try-compose.sh. To be sourced.
#
# In: $CACHE, a folder that is kept, and $STAGE, one that is thrown away. Out: `docker` and `docker-compose` that speak to an engine
# of our own: own socket, own data, in network and mount namespaces of its own, with nothing but loopback. What is published on
# 127.0.0.1 is published there: `inside` runs a command beside it. Never here: images, anything of the machine's own engine.

COMPOSE_VERSION=v5.6.0
ENGINE_PACKAGES="docker.io containerd runc tini iptables libip4tc2 libip6tc2 libxtables12 libnfnetlink0 libnftnl11 libnetfilter-conntrack3 libmnl0 debootstrap"

# Unpacks the engine into the cache; nothing is installed on this machine.
fetch_engine() {
  local engine=$CACHE/engine debs=$CACHE/debs
  if [ ! -x "$engine/usr/sbin/dockerd" ]; then
    mkdir -p "$debs" "$engine"
    (cd "$debs" && apt-get download -q $ENGINE_PACKAGES)
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$engine"; done
    ln -sf xtables-legacy-multi "$engine/usr/sbin/iptables"
    ln -sf xtables-legacy-multi "$engine/usr/sbin/ip6tables"
  fi
}

# Compose, as a plugin for the client, from its Go module. Its own `exclude` block has to be repeated by whoever builds it.
fetch_compose() {
  local compose=$CACHE/compose-$COMPOSE_VERSION
  if [ ! -x "$compose/docker-compose" ]; then
    mkdir -p "$compose"
    (
      cd "$compose"
      local module
      module=$(cd "$(mktemp -d)" && go mod download -json github.com/docker/compose/v5@$COMPOSE_VERSION | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
      { printf 'module build\n\ngo 1.26\n\nrequire github.com/docker/compose/v5 %s\n' $COMPOSE_VERSION; sed -n '/^exclude (/,/^)/p' "$module/go.mod"; } >go.mod
      printf '//go:build tools\n\npackage build\n\nimport _ "github.com/docker/compose/v5/cmd"\n' >tools.go
      go mod tidy
      go build -trimpath -ldflags '-s -w' -o docker-compose github.com/docker/compose/v5/cmd
    )
  fi
}

start_engine() {
  local engine=$CACHE/engine
  export PATH=$CACHE/compose-$COMPOSE_VERSION:$engine/usr/bin:$engine/usr/sbin:$PATH
  export DOCKER_HOST=unix://$STAGE/run/docker.sock DOCKER_CONFIG=$STAGE/config DOCKER_BUILDKIT=0
  mkdir -p "$STAGE/run" "$STAGE/data" "$DOCKER_CONFIG"
  LD_LIBRARY_PATH=$engine/usr/lib/x86_64-linux-gnu XTABLES_LIBDIR=$engine/usr/lib/x86_64-linux-gnu/xtables \
    setsid unshare --net --mount --propagation private sh -c 'ip link set lo up; exec dockerd "$@"' dockerd \
    --host "$DOCKER_HOST" --data-root "$STAGE/data" --exec-root "$STAGE/run/exec" --pidfile "$STAGE/run/docker.pid" \
    --group "$(id -gn)" --log-level warn >"$STAGE/engine.log" 2>&1 &
  for _ in $(seq 100); do
    docker version >/dev/null 2>&1 && return
    sleep 0.2
  done
  tail -20 "$STAGE/engine.log" >&2
  return 1
}

# Runs a command where the engine publishes its ports: same files, another loopback.
inside() {
  nsenter --net --target "$(cat "$STAGE/run/docker.pid")" -- "$@"
}

stop_engine() {
  local pid
  pid=$(cat "$STAGE/run/docker.pid" 2>/dev/null) || return 0
  docker ps -aq | xargs -r docker rm -fv >/dev/null 2>&1
  kill "$pid" && tail --pid="$pid" -f /dev/null
  # Groups of the engine's own, empty by now.
  find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} + 2>/dev/null || true
}
