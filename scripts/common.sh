# Sourced by the other scripts: where things are, and how the emulators get here.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sandbox="$root/.sandbox"

# One target directory for every clone and script, unless the caller has one: building the AWS
# SDK takes minutes.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/defendable/target}

moto_version=5.2.5
local_slack_version=0.1.8

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

need() {
  command -v "$1" >/dev/null 2>&1 || fail "$1 is needed: $2"
}

# The npm package that holds local-slack's binary for this machine.
local_slack_package() {
  local os arch
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "local-slack has no binary for $(uname -s)" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "local-slack has no binary for $(uname -m)" ;;
  esac
  printf 'local-slack-%s-%s' "$os" "$arch"
}

# Installs moto (a virtual environment) and local-slack into .sandbox, once.
install_emulators() {
  need python3 "install Python 3.9 or newer"
  need npm "install Node.js with npm"
  mkdir -p "$sandbox"
  export DEFENDABLE_MOTO_SERVER="$sandbox/moto/bin/moto_server"
  local package
  package=$(local_slack_package)
  export DEFENDABLE_LOCAL_SLACK="$sandbox/node_modules/$package/bin/local-slack"

  if ! [ -f "$sandbox/moto-$moto_version" ]; then
    say "Installing moto $moto_version, which stands in for AWS"
    python3 -m venv --clear "$sandbox/moto"
    "$sandbox/moto/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$moto_version" boto3
    touch "$sandbox/moto-$moto_version"
  fi
  if ! [ -f "$sandbox/local-slack-$local_slack_version" ]; then
    say "Installing local-slack $local_slack_version, which stands in for Slack"
    npm install --silent --no-audit --no-fund --no-save --prefix "$sandbox" "$package@$local_slack_version"
    chmod +x "$DEFENDABLE_LOCAL_SLACK"
    touch "$sandbox/local-slack-$local_slack_version"
  fi
}
