#!/usr/bin/env bash
# Shows deploy/kubernetes to a real API server that knows KEDA's kinds: `deploy/try-kubernetes.sh`. With Go, kubectl and openssl.
#
# The API server and etcd are built from their Go modules once (about 8 minutes; `prepare` does only that, and goes on where it was
# interrupted), run on loopback in a folder of their own, and end with this script. Nothing else of a cluster runs: objects are
# accepted or refused, no pod starts. Never here: any cluster of yours; KUBECONFIG is not read.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/cauce/try-kubernetes
KUBERNETES=1.37.2 ETCD=3.7.3 KEDA=2.21.0
STAGE=$(mktemp -d /tmp/cauce-try-kubernetes-XXXXXX)
PIDS=()
mkdir -p "$CACHE"

clean_up() {
  # Nothing of theirs is kept, and an API server without its etcd would take its time.
  { kill -KILL "${PIDS[@]}" && wait; } 2>/dev/null || true
  rm -rf "$STAGE"
}
trap clean_up EXIT

module() { (cd "$STAGE" && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'); }

# Builds a program of a module that is not meant to be required: its own replacements and exclusions are repeated.
build() { # file, package, module@version
  [ -x "$CACHE/$1" ] && return
  local dir=$CACHE/build-$1 source
  source=$(module "$3")
  mkdir -p "$dir"
  cd "$dir"
  printf 'module build\n\ngo 1.26\n' >go.mod
  printf '//go:build tools\n\npackage build\n\nimport _ "%s"\n' "$2" >tools.go
  go mod edit -require "$3"
  for staged in $(sed -n 's#^\t\(k8s.io/[^ ]*\) => ./staging.*#\1#p' "$source/go.mod"); do
    go mod edit -replace "$staged=$staged@v0.${KUBERNETES#1.}"
  done
  sed -n '/^exclude (/,/^)/p' "$source/go.mod" >>go.mod
  go mod tidy
  go build -ldflags '-s -w' -o "$CACHE/$1" "$2"
}

build etcd go.etcd.io/etcd/server/v3 "go.etcd.io/etcd/server/v3@v$ETCD"
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "k8s.io/kubernetes@v$KUBERNETES"
[ "${1:-}" = prepare ] && exit 0

free_port() { bun -e 'const s = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }); console.log(s.port); s.stop();'; }
CLIENT=$(free_port) PEER=$(free_port) PORT=$(free_port) TOKEN=$(openssl rand -hex 16)
"$CACHE/etcd" --data-dir "$STAGE/etcd" --listen-client-urls "http://127.0.0.1:$CLIENT" --advertise-client-urls "http://127.0.0.1:$CLIENT" \
  --listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER" \
  --initial-cluster "default=http://127.0.0.1:$PEER" >"$STAGE/etcd.log" 2>&1 &
PIDS+=($!)
openssl genrsa -out "$STAGE/key" 2048 2>/dev/null
echo "$TOKEN,tester,tester,system:masters" >"$STAGE/tokens"
"$CACHE/kube-apiserver" --etcd-servers "http://127.0.0.1:$CLIENT" --bind-address 127.0.0.1 --endpoint-reconciler-type none --secure-port "$PORT" \
  --cert-dir "$STAGE/certs" --token-auth-file "$STAGE/tokens" --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 \
  --service-account-issuer https://127.0.0.1 --service-account-key-file "$STAGE/key" --service-account-signing-key-file "$STAGE/key" \
  --disable-admission-plugins ServiceAccount >"$STAGE/apiserver.log" 2>&1 &
PIDS+=($!)
kube() { KUBECONFIG=/dev/null kubectl --server "https://127.0.0.1:$PORT" --token "$TOKEN" --insecure-skip-tls-verify "$@"; }
strictly() { kube apply --server-side --validate=strict "$@"; }

ok() { echo "  ok   $*"; }
broken() { echo "  FAIL $*" >&2 && exit 1; }
for _ in $(seq 300); do kube get --raw /readyz >/dev/null 2>&1 && break || sleep 0.2; done
kube get --raw /readyz >/dev/null || { tail -5 "$STAGE/apiserver.log" >&2 && exit 1; }
ok "an API server of Kubernetes $KUBERNETES answers"

crds=$(module "github.com/kedacore/keda/v2@v$KEDA")/config/crd/bases
for kind in scaledobjects triggerauthentications; do strictly -f "$crds/keda.sh_$kind.yaml" >/dev/null; done
kube wait --for=condition=Established --timeout=30s crd/scaledobjects.keda.sh crd/triggerauthentications.keda.sh >/dev/null
ok "it knows KEDA $KEDA's kinds"

for folder in base overlays/production overlays/staging; do
  rendered=$STAGE/rendered.yaml
  kube kustomize "$ROOT/deploy/kubernetes/$folder" >"$rendered"
  # The namespace first: even a trial run wants to find it.
  kube create namespace "$(sed -n 's/^  namespace: //p' "$rendered" | head -1)" >/dev/null 2>&1 || true
  said=$(strictly --dry-run=server --force-conflicts -f "$rendered" 2>&1) || broken "$folder: $said"
  ! grep -i "warning" <<<"$said" || broken "$folder is accepted with a warning"
  ok "$folder: $(grep -c 'serverside-applied' <<<"$said") objects accepted by strict validation, without a warning"
done

refused() { # what, sed expression on production's text, what the server must say
  kube kustomize "$ROOT/deploy/kubernetes/overlays/production" >"$STAGE/right.yaml"
  sed "$2" "$STAGE/right.yaml" >"$STAGE/wrong.yaml"
  ! cmp -s "$STAGE/right.yaml" "$STAGE/wrong.yaml" || broken "$1: nothing was planted"
  local said
  said=$(strictly --dry-run=server --force-conflicts -f "$STAGE/wrong.yaml" 2>&1) && broken "$1 was accepted"
  grep -q -- "$3" <<<"$said" || broken "$1: refused for another reason: $said"
  ok "refused: $1"
}
refused "an unknown field of a pod" 's/readinessProbe:/readynessProbe:/' 'readynessProbe: field not declared in schema'
refused "an unknown field of a ScaledObject" 's/cooldownPeriod:/coolDownPeriod:/' 'coolDownPeriod'
refused "a wrong type" 's/failureThreshold: 60/failureThreshold: many/' 'failureThreshold'
refused "a wrong type in a ScaledObject" 's/pollingInterval: 15/pollingInterval: often/' 'pollingInterval'
refused "a port that is none" 's/containerPort: 8000/containerPort: 80000/' 'between 1 and 65535'
refused "a selector that does not fit its pods" '0,/^        app.kubernetes.io\/component: ending/s//        app.kubernetes.io\/component: begin/' 'does not match template'
refused "a quantity that is none" 's/memory: 512Mi/memory: 512 MB/' 'quantit'

strictly -f <(kube kustomize "$ROOT/deploy/kubernetes/overlays/production") --force-conflicts >/dev/null
ok "production is applied: $(kube -n cauce get deployments,jobs,scaledobjects,networkpolicies,poddisruptionbudgets -o name | wc -l) objects are there"
pod() { # the pod of a Deployment, as its controller would make it
  kube -n cauce get deployment "$1" -o json | bun -e 'const { spec } = await Bun.stdin.json(); const { metadata, spec: pod } = spec.template;
    console.log(JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { ...metadata, generateName: "tried-" }, spec: pod }));'
}
for role in ingress scheduler worker scoring retrying storing ending; do
  pod "$role" | kube -n cauce create --dry-run=server --validate=strict -f - >/dev/null || broken "$role: its pod is refused"
done
ok "every role's pod passes pod security (restricted)"
said=$(pod worker | sed 's/"runAsNonRoot":true/"runAsNonRoot":false/' | kube -n cauce create --dry-run=server -f - 2>&1) && broken "a pod that may be root was accepted"
grep -q 'violates PodSecurity "restricted' <<<"$said" || broken "refused for another reason: $said"
ok "refused: a pod that may run as root"
