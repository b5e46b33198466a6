#!/usr/bin/env bash
# The two commands of the README on a machine that has only Node: a bare Debian in a folder, and in it a clean copy of
# this checkout. Needs root, debootstrap and node. Nothing of the host is changed; the folder is removed at the end.
#
#   tests/fresh/try-fresh.sh test              bun run test
#   tests/fresh/try-fresh.sh handlers          bun run handlers, one question asked, bun run stop
#   tests/fresh/try-fresh.sh run COMMAND…      anything else, in the checkout
#
# The copy is what git would hand out (HEAD), or with WORKTREE=1 the files as they lie here. The host's certificates, apt
# sources, name servers and the settings of the package clients come along, so that mirrors and proxies keep working.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cauce/tests
suite=${SUITE:-bookworm}
mode=${1:-test}

main() {
  [ "$(id -u)" = 0 ] || fail "needs root: it makes a chroot"
  command -v debootstrap >/dev/null || fail "needs debootstrap: apt-get install -y debootstrap"
  command -v node >/dev/null || fail "needs node, which it copies in"
  machine=$(mktemp -d /var/tmp/cauce-fresh-XXXXXX)
  trap 'rm -rf --one-file-system "$machine"' EXIT
  unpack_debian
  copy_host_settings
  copy_node
  copy_checkout
  case $mode in
    test) inside npx -y bun@1.4.4 run test ;;
    handlers) inside bash -c "$(declare -f try_handlers); try_handlers" ;;
    run) shift; inside "$@" ;;
    *) fail "unknown: $mode (test, handlers or run)" ;;
  esac
}

fail() { echo "try-fresh: $*" >&2; exit 2; }

say() { echo "== $*" >&2; }

unpack_debian() {
  local tar=$cache/debian-$suite-minbase.tar
  if [ ! -e "$tar" ]; then
    say "making a bare Debian $suite with debootstrap (once)"
    mkdir -p "$cache"
    debootstrap --variant=minbase "$suite" "$machine/base" >"$cache/debootstrap.log" 2>&1 \
      || { tail -20 "$cache/debootstrap.log" >&2; fail "debootstrap failed"; }
    tar -C "$machine/base" -cf "$tar.half" . && mv "$tar.half" "$tar"
    rm -rf --one-file-system "$machine/base"
  fi
  tar -C "$machine" -xf "$tar"
}

# Only what is needed to reach the package registries as the host does.
copy_host_settings() {
  local path
  for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs /usr/local/share/ca-certificates /etc/apt/sources.list \
    /etc/apt/sources.list.d /etc/apt/keyrings /usr/share/keyrings /etc/pip.conf \
    "$HOME/.npmrc" "$HOME/.bunfig.toml" "$HOME/.config/pip" "$HOME/.m2/settings.xml"; do
    [ -e "$path" ] || continue
    local target=$path
    case $path in "$HOME"/*) target=/root/${path#"$HOME"/} ;; esac
    mkdir -p "$machine$(dirname "$target")"
    cp -rL --no-target-directory "$path" "$machine$target" 2>/dev/null || true
  done
  grep -rhE '^Acquire::' /etc/apt/apt.conf.d /etc/apt/apt.conf 2>/dev/null >"$machine/etc/apt/apt.conf.d/99host" || true
  rm -f "$machine"/etc/apt/sources.list.d/*.disabled*
}

copy_node() {
  local binary modules
  binary=$(readlink -f "$(command -v node)")
  modules=$(npm root -g)
  mkdir -p "$machine/usr/local/bin" "$machine/usr/local/lib/node_modules"
  cp "$binary" "$machine/usr/local/bin/node"
  cp -r "$modules/npm" "$machine/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$machine/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$machine/usr/local/bin/npx"
}

copy_checkout() {
  mkdir -p "$machine/root/cauce"
  if [ "${WORKTREE:-}" = 1 ]; then
    git -C "$root" ls-files -z --cached --others --exclude-standard \
      | tar -C "$root" --null --ignore-failed-read -T - -c 2>/dev/null | tar -C "$machine/root/cauce" -x
  else
    git -C "$root" archive HEAD | tar -C "$machine/root/cauce" -x
  fi
}

# Runs a command in the checkout of the bare machine, in process and mount namespaces of its own: whatever it leaves
# running ends with it. The environment is empty but for what tells package clients where and how to fetch.
inside() {
  local passed=()
  while IFS= read -r -d '' variable; do
    case ${variable%%=*} in
      *_proxy | *_PROXY | npm_config_* | NPM_CONFIG_* | PIP_* | BUN_CONFIG_* | SSL_* | NODE_EXTRA_CA_CERTS | \
        REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | MAVEN_OPTS | JAVA_TOOL_OPTIONS) passed+=("$variable") ;;
    esac
  done < <(env -0)
  say "on the bare machine: $*"
  unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    machine=$1; shift
    for name in dev sys; do mkdir -p "$machine/$name"; mount --rbind "/$name" "$machine/$name"; done
    mount -t proc proc "$machine/proc"
    exec chroot "$machine" "$@"' inside "$machine" \
    /usr/bin/env -i -C /root/cauce HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${passed[@]}" "$@"
}

# Runs on the bare machine, where there is no curl: node asks.
try_handlers() {
  local start pid
  start=$(date +%s%N)
  npx -y bun@1.4.4 run handlers &
  pid=$!
  START_NS=$start node -e '
    const started = Number(process.env.START_NS) / 1e6;
    const seconds = () => ((Date.now() - started) / 1000).toFixed(1) + " s";
    const url = "http://127.0.0.1:8000/query";
    const pause = () => new Promise((resolve) => setTimeout(resolve, 200));
    const question = { title: "What is the capital of Peru?", content: "Lima is the capital of Peru.", best_answer: "Lima" };
    const ask = () => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question) });
    (async () => {
      let first = true;
      while (Date.now() - started < 300000) {
        const answer = await ask().then((response) => response.json(), () => null);
        if (answer && first) { console.log("== first reply after", seconds(), JSON.stringify(answer)); first = false; }
        if (answer?.hit) { console.log("== first answer after", seconds(), JSON.stringify(answer)); return; }
        await pause();
      }
      console.log("== no answer within 300 s");
      process.exitCode = 1;
    })();'
  local asked=$?
  kill -TERM "$pid" 2>/dev/null
  wait "$pid"
  echo "== handlers ended with $?"
  npx -y bun@1.4.4 run stop || asked=1
  return "$asked"
}

main "$@"
