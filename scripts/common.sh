# shellcheck shell=bash
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

# Installs Python packages into a virtual environment in $sandbox, once: python_tools <name> <package>…
python_tools() {
  local name=$1 mark
  shift
  mark="$sandbox/$(printf '%s-' "$name" "$@" | tr -c 'a-zA-Z0-9.\n-' _)installed"
  [ -f "$mark" ] && return
  need python3 "install Python 3.9 or newer"
  say "Installing $*"
  mkdir -p "$sandbox"
  python3 -m venv --clear "$sandbox/$name"
  "$sandbox/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
  touch "$mark"
}

# Starts the process from which each story gets a moto that is loaded already; it ends with the script.
moto_forks() {
  local folder
  folder=$(mktemp -d)
  "$sandbox/moto/bin/python" -B "$root/scripts/moto_forks.py" "$folder/socket" &
  # shellcheck disable=SC2064
  trap "kill $! 2>/dev/null; rm -rf '$folder'" EXIT
  while ! [ -S "$folder/socket" ]; do
    kill -0 $! 2>/dev/null || fail "scripts/moto_forks.py has ended"
    sleep 0.1
  done
  export DEFENDABLE_MOTO_FORKS="$folder/socket"
}

# Installs moto, which stands in for AWS, and local-slack, which stands in for Slack, once.
install_emulators() {
  need npm "install Node.js with npm"
  mkdir -p "$sandbox"
  export DEFENDABLE_MOTO_SERVER="$root/scripts/moto"
  local package
  package=$(local_slack_package)
  export DEFENDABLE_LOCAL_SLACK="$sandbox/node_modules/$package/bin/local-slack"

  python_tools moto "moto[server]==$moto_version" boto3
  if ! [ -f "$sandbox/local-slack-$local_slack_version" ]; then
    say "Installing local-slack $local_slack_version"
    npm install --silent --no-audit --no-fund --no-save --prefix "$sandbox" "$package@$local_slack_version"
    chmod +x "$DEFENDABLE_LOCAL_SLACK"
    touch "$sandbox/local-slack-$local_slack_version"
  fi
}

# Where install_tool puts programs.
tools=$CARGO_TARGET_DIR/tools/bin

# Installs a program of cargo's, once: install_tool <crate> <version>
install_tool() {
  [ -x "$tools/$1" ] && [ -f "$tools/../$1-$2" ] && return
  say "Installing $1 $2"
  cargo install --locked --quiet --root "$CARGO_TARGET_DIR/tools" --version "$2" "$1"
  touch "$tools/../$1-$2"
}

install_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  say "Installing cargo-nextest"
  cargo install --locked cargo-nextest
}

# Amazon Linux 2023's: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
lambda_glibc=2.34

# The target of lambda_build, by its processor.
lambda_target() {
  lambda_triple=$1-unknown-linux-gnu
  # shellcheck disable=SC2034 # The scripts that source this read it.
  lambda_binaries=$CARGO_TARGET_DIR/$lambda_triple/lambda
}
lambda_target x86_64

# Builds as for Lambda. zig links against a glibc of choice, without a container of that system.
lambda_build() {
  local zigbuild_version=0.24.0 zig_version=0.17.1 cargo_home=${CARGO_HOME:-$HOME/.cargo} zig
  # Beside what it builds: cargo builds everything again where the linker's path changes.
  local sandbox=$CARGO_TARGET_DIR/tools
  need cargo "install Rust by https://rustup.rs"
  [ -d "$(rustc --print sysroot)/lib/rustlib/$lambda_triple" ] || fail "Rust's target $lambda_triple is not installed: rustup target add $lambda_triple"
  python_tools zig "cargo-zigbuild==$zigbuild_version" "ziglang==$zig_version"
  zig=("$sandbox"/zig/lib/python3*/site-packages/ziglang/zig)

  say "Building for $lambda_triple with glibc $lambda_glibc (the AWS SDK takes its time)"
  # Paths of this machine would be in the messages of panics, and so in the bytes. Our own crate's
  # are relative.
  PATH=$sandbox/zig/bin:$PATH \
    CARGO_ZIGBUILD_ZIG_PATH=${zig[0]} \
    RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$CARGO_TARGET_DIR=/target" \
    CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$CARGO_TARGET_DIR=/target" \
    cargo zigbuild --locked --profile lambda --no-default-features --target "$lambda_triple.$lambda_glibc" "$@"
}
