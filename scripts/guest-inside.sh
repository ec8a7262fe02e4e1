#!/bin/bash
# The part of guest-test.sh that runs in the guest, where the project is /host/berth. Not for use on a machine that matters.
set -euo pipefail

berth=/host/berth
out=/host/out
what=$1
shift
export PATH=$berth/node_modules/.bin:/host/bin:/usr/lib/cni:$PATH
# Unpacked and no more: what is wanted of them are programs and data, and a guest's life is short.
for package in /host/debs/*.deb; do
  [ ! -e "$package" ] || dpkg-deb -x "$package" /
done
# A process with an io_uring that forks corrupts a user-mode kernel's memory.
sysctl -qw kernel.io_uring_disabled=2 || true
# critest asks for sudo, and the guest has none.
[ -x /usr/bin/sudo ] || install -m 755 /dev/stdin /usr/local/bin/sudo <<<$'#!/bin/sh\nexec "$@"'
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1 || true
modprobe -a bridge br_netfilter veth 2>/dev/null || true
sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true

# The shared folder has no labels, and the policy decides by the program's label what the daemon may do.
label_for_selinux() {
  cp -a "$berth" /opt/berth
  berth=/opt/berth
  semodule -i "$@"
  # Rules that forbid without a word would hide what is missing.
  [ -z "${AUDIT_ALL:-}" ] || semodule -DB
  restorecon -RF /opt/berth /usr/lib/cni
  # Otherwise containers have no capabilities, and most images need some to start.
  setsebool container_use_host_all_caps on
}

# A node as an administrator would set it up, with the unit of packaging/ and the guest's own choices in a drop-in.
install_service() {
  mkdir -p /etc/crio /etc/cni/net.d /etc/systemd/system/berth.service.d /etc/containers
  cp "$berth/packaging/berth.service" /etc/systemd/system/
  [ "$LSM" != selinux ] || label_for_selinux "$berth/packaging/selinux/berth.cil"
  printf '[Service]\nExecStart=\nExecStart=%s serve\n' "$berth/bin/berth" >/etc/systemd/system/berth.service.d/guest.conf
  cp "${REGISTRIES_CONF:-/dev/null}" /etc/containers/registries.conf
  masquerade=true
  { iptables -t nat -N BERTH-PROBE && iptables -t nat -X BERTH-PROBE; } 2>/dev/null || masquerade=false
  cat >/etc/cni/net.d/10-berth.conflist <<J
{"cniVersion":"1.0.0","name":"guest","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":$masquerade,"hairpinMode":true,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
J
  cat >/etc/crio/crio.conf <<T
[crio.runtime]
cgroup_manager = "$CGROUP_MANAGER"
default_runtime = "$RUNTIME"
log_level = "debug"
selinux = $([ "$LSM" = selinux ] && echo true || echo false)
[crio.runtime.runtimes.$RUNTIME]
[crio.network]
plugin_dirs = ["/usr/lib/cni"]
T
  [ "$LSM" != selinux ] || restorecon -RF /etc/crio /etc/cni /etc/containers
  systemctl daemon-reload
}

keep_logs() {
  journalctl -u berth --no-pager -o cat >"$out/berth.log" 2>/dev/null || true
  journalctl -k --no-pager >"$out/kernel.log" 2>/dev/null || true
}

finish() {
  [ -z "${ENFORCE:-}" ] || setenforce 0
  keep_logs
  [ -L "$KIT/results" ] || cp -a "$KIT/results/." "$out/" || true
  cp -a "$KIT/log" "$out/" || true
}

finish_integration() {
  [ -z "${ENFORCE:-}" ] || setenforce 0
  keep_logs
}

case $what in
  critest)
    export KIT=/var/tmp/kit LABEL=guest REGISTRIES_CONF=/host/conformance/registries.conf
    mkdir -p "$KIT"
    # Seen from outside while the tests run; a policy that enforces forbids to write there.
    [ -n "${ENFORCE:-}" ] || ln -s "$out" "$KIT/results"
    cp -a /host/kit/. "$KIT/"
    trap finish EXIT
    install_service
    # Debian's own service, which wants passwords, has the port; and the first try gives up early for a slow machine.
    systemctl stop docker-registry 2>/dev/null || true
    bash /host/conformance/registry.sh start || bash /host/conformance/registry.sh start
    if [ -n "${ENFORCE:-}" ]; then
      # Where pods' logs are on a node: what critest puts into /tmp would be out of reach.
      export TMPDIR=/var/log/pods
      mkdir -p "$TMPDIR" && restorecon -RF "$TMPDIR"
      setenforce 1
    fi
    systemctl start berth
    bash /host/conformance/critest.sh /var/run/crio/crio.sock "$@"
    ;;
  integration)
    if [ -n "${ENFORCE:-}" ]; then
      label_for_selinux "$berth/packaging/selinux/berth.cil" "$berth/test/support/berth-tests.cil"
      export TMPDIR=/var/lib/berth-tests
      mkdir "$TMPDIR" && restorecon -F "$TMPDIR"
      setenforce 1
    fi
    trap finish_integration EXIT
    cd "$berth"
    export BERTH_TEST_CGROUP_MANAGER=$CGROUP_MANAGER BERTH_TEST_RUNTIME=$RUNTIME
    [ $# -gt 0 ] || set -- 'test/integration/**/*.test.ts'
    # Everything is several times slower than on a real machine.
    node --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec "$@"
    ;;
  sh)
    trap keep_logs EXIT
    cd "$berth"
    bash -c "$*"
    ;;
esac
