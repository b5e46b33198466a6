# What docker-compose.yml promises, seen in a running engine; what docs/compose.md says to type, typed. To be sourced.
#
# In: engine and stand-ins (engine.sh, images.sh), $ROOT, $STAGE. Out: a line per promise, and an end at the first that is broken.

build_image() {
  (cd "$ROOT" && docker build -q -f deploy/Dockerfile -t cauce:local . >/dev/null)
  local ours
  ours=$(docker history --format '{{.Size}} {{.CreatedBy}}' cauce:local | sed -n 's/^\([0-9.]*MB\) .*COPY dir.*/\1/p' | paste -sd+)
  promise "the image is built: $(docker image inspect -f '{{.Size}}' cauce:local | numfmt --to=si)B, of which ours $ours"
}

promise() { echo "  ok   $*"; }
broken() { echo "  FAIL $*" >&2 && exit 1; }

# Types a block of docs/compose.md, by the name in the comment above it. Variables that it sets stay.
type_block() {
  local text
  text=$(awk -v mark="<!-- try: $1 -->" '$0 == mark { wanted = 1; next } wanted && /^```sh/ { inside = 1; next } inside && /^```/ { exit } inside' "$ROOT/docs/compose.md")
  [ -n "$text" ] || broken "docs/compose.md has no block $1"
  eval "$text"
}

# Beside the engine's published ports, not this machine's.
curl() { inside curl "$@"; }

expect() { # what, text that must be in it, command …
  local what=$1 wanted=$2 said
  shift 2
  said=$("$@" 2>&1 </dev/null) || broken "$what: $said"
  grep -q -- "$wanted" <<<"$said" || broken "$what: no \"$wanted\" in: $said"
  promise "$what"
}

eventually() { # seconds, what, command …
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1 </dev/null; do
    [ $SECONDS -lt $until ] || broken "waited in vain: $what"
    sleep 0.5
  done
  promise "$what"
}

health_is() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$(docker compose ps -q "$1")")" = "$2" ]; }
signal() { docker compose exec -T handlers sh -c "kill -$1 $2"; }
worker_pid() { docker compose exec -T "$1" sh -c 'for p in /proc/[0-9]*; do tr "\0" " " <"$p/cmdline" | grep -q "cauce.ts [h]andlers" && [ "${p#/proc/}" != 1 ] && echo "${p#/proc/}"; done; true' | tail -1; }

# `docker compose`, with nothing of this shell's settings.
use_compose() {
  cd "$ROOT"
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  ln -sf "$CACHE/compose-$COMPOSE_VERSION/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
  export COMPOSE_PROJECT_NAME=cauce COMPOSE_MENU=false
  unset POSTGRES_PASSWORD REDIS_HTTP_TOKEN LLM_BASE_URL HANDLERS_RUN RUN
}

run_checks() {
  use_compose
  docker compose config -q && promise "compose accepts the file"
  expect "everything comes up healthy from nothing" "" type_block up
  check_confinement
  check_questions
  check_load
  check_stuck_loop
  check_split
  check_data_stays
  docker compose --profile '*' down --volumes >/dev/null 2>&1
  promise "all of it is removed again"
}

check_confinement() {
  local id name
  for id in $(docker compose ps -aq); do
    name=$(docker inspect -f '{{.Name}}' "$id")
    expect "$name: read-only, no capabilities, no new privileges, bounded" 'true \[ALL\] \[no-new-privileges:true\] [1-9]' \
      docker inspect -f '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}}' "$id"
    ! docker inspect "$id" | grep -qF "$(docker compose exec -T postgres cat /credentials/postgres-password)" || broken "$name shows the password"
  done
  for name in kafka postgres redis redis-http handlers; do
    expect "$name: its processes are not root's" "ok" docker compose exec -T "$name" sh -c '! grep -hE "^Uid:\s+0\s" /proc/[0-9]*/status && echo ok'
  done
  ! docker compose exec -T handlers bun -e 'await Bun.connect({ hostname: "1.1.1.1", port: 53, socket: { data() {} } })' >/dev/null 2>&1 || broken "containers reach out"
  promise "no container reaches out"
  expect "no compiler in the image" "none" docker compose exec -T handlers sh -c 'command -v gcc cc tcc pip npm python3 || echo none'
}

check_questions() {
  expect "a question is queued over HTTP" '"queued":true' type_block ask
  type_block hash
  eventually 30 "its result is in Postgres" eval 'type_block postgres | grep "(1 row)"'
  expect "psql shows the answer, as written" "Paris" type_block postgres
  expect "redis-cli shows it, as written" '"answer":"The capital of France is Paris."' type_block redis
  expect "the console consumer shows it, as written" "$qh" type_block kafka
  expect "the door shows it, as written" '"state":"done"' type_block where
  expect "the schedule can be read, as written" "(0 rows)" type_block waiting
  expect "the password can be read, as written" '^[0-9a-f]\{48\}$' type_block password
}

check_load() {
  expect "loadgen: every question is accounted for" 'unaccounted  0' type_block loadgen
  local began=$SECONDS
  expect "a stop drains" "" type_block stop
  [ $((SECONDS - began)) -lt 19 ] || broken "it took until it was killed"
  expect "it ended in order" '^0 ' docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$(docker compose ps -aq handlers)"
  docker compose up --detach --wait >/dev/null 2>&1
}

# A loop that is stuck has its port open; a stop signal for the process is such a loop.
check_stuck_loop() {
  local pid
  pid=$(worker_pid handlers)
  signal STOP "$pid"
  eventually 60 "a process that is stuck is unhealthy" health_is handlers unhealthy
  signal CONT "$pid"
  eventually 30 "it is healthy again when it goes on" health_is handlers healthy
  signal KILL "$(worker_pid handlers)"
  eventually 30 "a process that was killed is replaced in its container" eval '[ "$(worker_pid handlers)" != "'"$pid"'" ] && curl -sf localhost:8000/readyz'
}

check_split() {
  expect "one service per handler, four workers" "" type_block split
  [ "$(docker compose --profile split ps -q worker | wc -l)" = 4 ] || broken "there are not four workers"
  # Of each topic that it reads, a process is a member by itself: the handler's own and that of its retries, 12 partitions each.
  eventually 30 "four workers have three partitions each, of both topics, as written" eval '[ "$(type_block members | grep -c "llm.llm.requests .* 3 *$")" = 8 ]'
  expect "loadgen through all of them" 'unaccounted  0' type_block loadgen
  expect "the others are stopped in time" "" timeout 25 docker compose --profile split stop worker scoring retrying storing ending
  docker compose up --detach --wait >/dev/null 2>&1
}

check_data_stays() {
  docker compose --profile '*' down >/dev/null 2>&1
  docker compose up --detach --wait >/dev/null 2>&1
  expect "data and credentials outlive their containers" "(1 row)" type_block postgres
}
