#!/bin/bash
# Runs berth's tests in a throw-away guest that has what many machines lack: systemd, cgroup v2, AppArmor or SELinux.
#
#   scripts/guest-test.sh critest [GINKGO-ARGS]       the CRI's conformance tests against packaging/berth.service
#   scripts/guest-test.sh integration [FILES]         the integration suite, or some files of it
#   scripts/guest-test.sh sh 'COMMAND'                a command in the guest, the project at /host/berth
#
# The guest sees a copy of the project; what it leaves in /host/out is in $OUT afterwards. Environment:
#   CGROUP_MANAGER=systemd|cgroupfs   RUNTIME=runc|crun   LSM=apparmor|selinux|none   (the first is the default)
#   ENFORCE=1          makes SELinux enforce during the tests
#   AUDIT_ALL=1        puts all that SELinux denies into kernel.log, also what the policy denies without a word
#   GUEST_TOOLS        folder of guest.sh, which is no part of this repository: `guest.sh build` makes the guest in $GUEST_DIR,
#                      `guest.sh run -d FOLDER COMMAND` starts it with FOLDER at /host and ends as COMMAND does. Its own variables
#                      (UML, UMLARGS, MEM, LIMIT, GUEST, GUEST_DIR) are passed on
#   CONFORMANCE_TOOLS  folder of critest.sh and registry.sh, for critest only; no part of this repository either. KIT is where they keep images
#   OUT                folder for logs and results
# Debian packages in $GUEST_DIR/debs are installed in the guest first: conntrack and its libraries, tzdata.
# Raises this machine's vm.max_map_count where it is low, and leaves it so: another guest may need it.
set -euo pipefail

# In a user-mode kernel each page of a process may be a mapping of this machine's. A process that gets beyond the limit, as one
# with 300 MiB does once the guest's memory is in pieces, loses pages without a word and faults on them for ever.
allow_mappings() {
  local wanted=1048576
  [ "$(cat /proc/sys/vm/max_map_count)" -ge "$wanted" ] || sysctl -qw "vm.max_map_count=$wanted" ||
    echo "vm.max_map_count is below $wanted and cannot be raised: tests that need much memory may hang" >&2
}

# A function, so that the script may be changed while it runs.
main() {
  home=$(CDPATH='' cd "$(dirname "$0")/.." && pwd -P)
  tools=$(realpath -m "${GUEST_TOOLS:-$home/../shared/tools/guest}")
  conformance=$(realpath -m "${CONFORMANCE_TOOLS:-$home/../shared/tools/conformance}")
  kit=${KIT:-/var/tmp/berth-conformance}
  export GUEST_DIR=${GUEST_DIR:-/var/lib/berth-guest}
  # The own kernel has cpusets, nftables and iptables; without it bridges cannot masquerade.
  # One processor: with two it switches processes at half the speed.
  if [ -z "${UML:-}" ] && [ -x "$GUEST_DIR/uml/usr/bin/linux" ]; then
    export UML=linux
  fi
  export MEM=${MEM:-3072} LIMIT=${LIMIT:-1800}

  what=${1:-}
  case $what in
    critest | integration | sh) shift ;;
    *)
      sed -n '2,/^set/{/^#/p}' "$0"
      exit 2
      ;;
  esac
  if [ ! -e "$tools/guest.sh" ]; then
    echo "GUEST_TOOLS has to name a folder with guest.sh, which builds and starts the guest; it is not in $tools" >&2
    exit 1
  fi
  if [ ! -e "$GUEST_DIR/disk.img" ]; then
    echo "there is no guest in $GUEST_DIR: run $tools/guest.sh build (and $tools/guest.sh kernel) first" >&2
    exit 1
  fi

  [ "${GUEST:-uml}" != uml ] || allow_mappings

  stage=$(mktemp -d "$GUEST_DIR/stage.XXXXXX")
  out=${OUT:-$GUEST_DIR/out/$what}
  trap 'rm -rf "$stage"' EXIT
  mkdir -p "$stage/berth" "$stage/out" "$stage/bin"

  # Hard links where the guest only reads; the sources are copied, since somebody may be at work on them.
  for entry in bin src test scripts packaging docs package.json tsconfig.json layers.json; do
    [ ! -e "$home/$entry" ] || cp -a "$home/$entry" "$stage/berth/"
  done
  # -H: in a clone made for the run it may be a symbolic link.
  cp -alH "$home/node_modules" "$stage/berth/" 2>/dev/null || cp -aH "$home/node_modules" "$stage/berth/"
  cp -a "$GUEST_DIR/debs" "$stage/" 2>/dev/null || true
  if [ "$what" = critest ]; then
    cp -a "$conformance" "$stage/conformance"
    cp "$(command -v critest)" "$(command -v crictl)" "$stage/bin/"
    "$conformance/registry.sh" start
    mkdir -p "$stage/kit"
    cp -al "$kit/registry" "$stage/kit/" 2>/dev/null || cp -a "$kit/registry" "$stage/kit/"
    cp "$kit/images.txt" "$stage/kit/"
  fi

  {
    printf 'export CGROUP_MANAGER=%q RUNTIME=%q LSM=%q ENFORCE=%q AUDIT_ALL=%q\n' \
      "${CGROUP_MANAGER:-systemd}" "${RUNTIME:-runc}" "${LSM:-apparmor}" "${ENFORCE:-}" "${AUDIT_ALL:-}"
    printf 'exec bash /host/berth/scripts/guest-inside.sh %q' "$what"
    [ $# -eq 0 ] || printf ' %q' "$@"
    printf '\n'
  } >"$stage/command.sh"

  status=0
  "$tools/guest.sh" run -d "$stage" 'bash /host/command.sh' || status=$?
  mkdir -p "$out"
  rm -rf "$out"/{guest,log,berth.log,kernel.log}
  cp -a "$stage/out/." "$out/"
  echo "guest: ended with $status; logs and results are in $out"
  exit "$status"
}

main "$@"
