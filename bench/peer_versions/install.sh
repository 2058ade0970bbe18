#!/bin/sh
# Installs the gateways that bench/peers.py measures, each below a folder of its own: exact versions, locked by hashes,
# ready-made wheels only, no install scripts. What cannot be had leaves its reason in NAME.why; the others go on.
# Usage: sh bench/peer_versions/install.sh [FOLDER]   (default: .tools/peers)
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
into=${1:-$root/.tools/peers}
uv=$root/.tools/uv/bin/uv
[ -x "$uv" ] || uv=uv
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_LINK_MODE=${UV_LINK_MODE:-copy}
mkdir -p "$into" || exit 1

say() { echo "peers: $1" >&2; }

# once NAME LOCK COMMAND...: runs the command unless this very lock was installed before.
once() {
    name=$1 lock=$2
    shift 2
    stamp="$into/$name/.lock"
    if [ -f "$stamp" ] && cmp -s "$lock" "$stamp"; then rm -f "$into/$name.why"; return 0; fi
    rm -rf "${into:?}/$name"
    if "$@" >"$into/$name.log" 2>&1 && cp "$lock" "$stamp"; then
        rm -f "$into/$name.why"
        say "$name is installed"
    else
        grep -v '^ *$' "$into/$name.log" | tail -n 1 >"$into/$name.why"
        [ -s "$into/$name.why" ] || echo "the installation failed" >"$into/$name.why"
        say "$name could not be installed: $(cat "$into/$name.why")"
    fi
}

python_peer() {
    "${PYTHON:-python3}" -m venv --without-pip "$into/$1" &&
        "$uv" pip install --quiet --compile-bytecode --only-binary :all: --python "$into/$1/bin/python" --require-hashes -r "$here/$1.txt"
}

npm_peer() {
    command -v npm >/dev/null && command -v node >/dev/null || { echo "there is no npm on this machine"; return 1; }
    mkdir -p "$into/$1" && cp "$here/package.json" "$here/package-lock.json" "$into/$1/" &&
        (cd "$into/$1" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent)
}

once portkey "$here/package-lock.json" npm_peer portkey
once litellm "$here/litellm.txt" python_peer litellm
once mlflow "$here/mlflow.txt" python_peer mlflow
