#!/bin/sh
# Installs what berth needs on Debian 12 and is not there yet: programs by apt, npm packages by npm ci. Does nothing, and
# needs neither root nor a network, when nothing is missing.
set -eu

home=$(CDPATH='' cd "$(dirname "$0")/.." && pwd -P)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=
need() { # need PACKAGE FILE-OR-COMMAND...: the package is missing when none of the alternatives is there
  package=$1
  shift
  for alternative in "$@"; do
    case $alternative in
      /*) if [ -e "$alternative" ]; then return 0; fi ;;
      *) if command -v "$alternative" >/dev/null 2>&1; then return 0; fi ;;
    esac
  done
  missing="$missing $package"
}

need runc runc
need crun crun
need conmon conmon
need containernetworking-plugins /usr/lib/cni/bridge /opt/cni/bin/bridge
need iptables iptables
need nftables nft
need conntrack conntrack
need docker-registry docker-registry
# The demo's image has no libraries, so the other busybox package of Debian will not do.
if ! command -v busybox >/dev/null 2>&1 || head -c 4096 "$(command -v busybox)" | grep -q 'ld-linux'; then
  missing="$missing busybox-static"
fi
need ca-certificates /etc/ssl/certs/ca-certificates.crt
# Node 26 itself comes with npm ci; libatomic is the one library it needs that Debian does not always have.
need libatomic1 "/usr/lib/$(uname -m)-linux-gnu/libatomic.so.1"
need nodejs node
need npm npm

if [ -n "$missing" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "missing packages:$missing" >&2
    echo "run this as root to install them" >&2
    exit 1
  fi
  echo "installing:$missing"
  # Packages like docker-registry come with a service; only their programs are wanted here.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of package names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

# npm writes this file last; it is older than the lock file when packages have changed since.
installed=$home/node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ "$home/package-lock.json" -nt "$installed" ]; then
  echo "installing npm packages"
  (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund)
  touch "$installed"
fi
