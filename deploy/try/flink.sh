# The profile `flink` of docker-compose.yml, tried like the rest. To be sourced.
#
# In: a running engine with the other stand-ins, $CACHE, $ROOT, $STAGE. Out: stand-ins for Flink's, Maven's and Python's images, our
# image on top of them, a line per promise. Flink is the real 2.3.0, which its Python packages carry.

make_flink_stand_ins() {
  local context=$STAGE/context wheels=$CACHE/flink-wheels home
  if [ ! -d "$wheels" ]; then
    mkdir -p "$wheels.half"
    for pins in build-requirements requirements; do
      python3.11 -m pip download -q --no-deps --require-hashes --dest "$wheels.half" -r "$ROOT/deploy/flink/$pins.txt"
    done
    mv "$wheels.half" "$wheels"
  fi
  debian_tar python ca-certificates,python3,python3-venv
  docker import "$CACHE/python.tar" python:3.11.14-slim-bookworm >/dev/null
  cp -r "$wheels" "$context/wheels"
  printf 'FROM python:3.11.14-slim-bookworm\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n' |
    stand_in python:3.11.14-slim-bookworm "$context"
  rm -rf "$context/wheels"

  home=$(cd "$ROOT" && bun -e 'const { ensureFlink } = await import("./deploy/flink/install.ts"); console.log((await ensureFlink(console.error)).home);')
  cp -rL "$home" "$context/flink"
  printf 'FROM stand-in/workshop\nCOPY flink /opt/flink\nRUN mkdir -p /opt/java && cp -rL /usr/lib/jvm/java-17-openjdk-amd64 /opt/java/openjdk\n' |
    stand_in flink:2.3.0-java17 "$context"
  # Its two jars came with Flink's home.
  printf '#!/bin/sh\nmkdir -p /jars && cp /opt/flink/lib/flink-model-openai-* /opt/flink/lib/flink-sql-connector-kafka-* /jars\n' >"$context/mvn"
  chmod +x "$context/mvn"
  printf 'FROM flink:2.3.0-java17\nCOPY mvn /usr/local/bin/mvn\n' | stand_in maven:3.9.11-eclipse-temurin-17 "$context"
  rm -rf "$context/flink"
  docker build -q -t cauce-flink:local "$ROOT/deploy/flink" >/dev/null
  promise "the image of the job is built: $(docker image inspect -f '{{.Size}}' cauce-flink:local | numfmt --to=si)B"
}

check_flink() {
  use_compose
  expect "the pipeline comes up with Flink in the middle" "" type_block flink
  type_block hash
  expect "loadgen: every question is accounted for" 'unaccounted  0' type_block loadgen
  docker compose --profile flink kill flink-worker >/dev/null 2>&1
  eventually 150 "the job is unhealthy while nothing does its work" health_is flink unhealthy
  docker compose --profile flink start flink-worker >/dev/null 2>&1
  eventually 240 "it is healthy again when something does" health_is flink healthy
  docker compose --profile '*' down --volumes >/dev/null 2>&1
  promise "all of it is removed again"
}
