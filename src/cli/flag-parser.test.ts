import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { joinFlags, parseFlags } from "./flag-parser.ts";
import { configSources, globalFlags, logTarget } from "./global-flags.ts";

const known = [
  { names: ["timezone", "tz"], short: undefined, isBoolean: false },
  { names: ["root"], short: "r", isBoolean: false },
  { names: ["selinux"], short: undefined, isBoolean: true },
];

function parse(...argv: string[]) {
  const { values, rest } = parseFlags(argv, known);
  return { values: Object.fromEntries(values), rest };
}

describe("the command line", () => {
  it("takes values from the next word, after an equals sign, or attached to a short flag", () => {
    assert.deepEqual(parse("--root", "/a", "--root=/b", "-r", "/c", "-r/d", "-r=/e"), {
      values: { root: ["/a", "/b", "/c", "/d", "/e"] },
      rest: [],
    });
  });

  it("takes an empty value and one that looks like a flag", () => {
    assert.deepEqual(parse("--root", "", "--root", "--x", "--root=").values, { root: ["", "--x", ""] });
  });

  it("gives the values of all names of a flag to the first", () => {
    assert.deepEqual(parse("--tz", "UTC").values, { timezone: ["UTC"] });
  });

  it("takes no word for a boolean flag, but a value after an equals sign", () => {
    assert.deepEqual(parse("--selinux", "config", "--selinux=false"), {
      values: { selinux: ["true"] },
      rest: ["config", "--selinux=false"],
    });
    assert.deepEqual(parse("--selinux=false").values, { selinux: ["false"] });
  });

  it("leaves what follows two dashes alone", () => {
    assert.deepEqual(parse("--root", "/a", "--", "--root"), { values: { root: ["/a"] }, rest: ["--root"] });
  });

  it("refuses unknown flags with the nearest known one, and missing values", () => {
    assert.throws(
      () => parse("--roots=x"),
      new DomainError("invalid-argument", "unknown flag --roots; did you mean --root?"),
    );
    assert.throws(() => parse("-x"), /unknown flag -x; see berth help/);
    assert.throws(() => parse("--root"), /flag --root needs a value/);
  });

  it("puts flags after the subcommand behind those in front of it", () => {
    const joined = joinFlags(new Map([["root", ["/a"]]]), new Map([["root", ["/b"]]]));
    assert.deepEqual(joined.get("root"), ["/a", "/b"]);
  });

  it("knows every flag of CRI-O's command line", () => {
    const names = new Set(globalFlags().all.flatMap((flag) => flag.names));
    const synopsis =
      "absent-mount-sources-to-reject add-inheritable-capabilities additional-devices allowed-devices apparmor-profile auto-reload-registries big-files-temporary-dir bind-mount-prefix blockio-config-file blockio-reload cdi-spec-dirs cgroup-manager clean-shutdown-file cni-config-dir cni-default-network cni-plugin-dir collection-period config config-dir conmon conmon-cgroup conmon-env container-attach-socket-dir container-exits-dir ctr-stop-timeout decryption-keys-path default-capabilities default-env default-mounts-file default-runtime default-sysctls default-transport default-ulimits device-ownership-from-security-context disable-hostport-mapping drop-infra-ctr enable-criu-support enable-metrics enable-nri enable-pod-events enable-profile-unix-socket enable-tracing gid-mappings global-auth-file grpc-max-recv-msg-size grpc-max-send-msg-size help hooks-dir hostnetwork-disable-selinux image-volumes imagestore included-pod-metrics infra-ctr-cpuset inject-gomaxprocs insecure-registry internal-repair internal-wipe irqbalance-config-file irqbalance-config-restore-file listen log log-dir log-filter log-format log-journald log-level log-size-max metrics-cert metrics-collectors metrics-host metrics-key metrics-port metrics-socket minimum-mappable-gid minimum-mappable-uid namespaces-dir no-pivot nri-disable-connections nri-listen nri-plugin-config-dir nri-plugin-dir nri-plugin-registration-timeout nri-plugin-request-timeout oci-artifact-mount-support pause-command pause-image pause-image-auth-file pids-limit pinned-images pinns-path privileged-seccomp-profile profile profile-cpu profile-mem profile-port pull-progress-timeout rdt-config-file read-only registries-conf registries-conf-dir root runroot runtimes seccomp-profile selinux separate-pull-cgroup shared-cpuset signature-policy signature-policy-dir stats-collection-period storage-driver storage-opt stream-address stream-enable-tls stream-idle-timeout stream-port stream-tls-ca stream-tls-cert stream-tls-key timezone tz tracing-endpoint tracing-sampling-rate-per-million uid-mappings version version-file version-file-persist";
    assert.deepEqual(
      synopsis.split(" ").filter((name) => !names.has(name)),
      [],
    );
  });
});

describe("global flags", () => {
  it("asks for the configuration file only where it was named", () => {
    assert.equal(configSources(new Map(), {}).fileIsRequired, false);
    assert.equal(configSources(new Map([["config", [""]]]), {}).fileIsRequired, false);
    const named = configSources(new Map(), { CONTAINER_CONFIG: "/a", CONTAINER_CONFIG_DIR: "" });
    assert.deepEqual([named.file, named.fileIsRequired, named.directory], ["/a", true, ""]);
  });

  it("takes text and json for the format of the log and refuses others", () => {
    assert.deepEqual(logTarget(new Map([["log-format", ["json"]]]), {}), { file: undefined, format: "json" });
    assert.deepEqual(logTarget(new Map([["log", ["/l"]]]), {}), { file: "/l", format: "text" });
    assert.throws(() => logTarget(new Map(), { CONTAINER_LOG_FORMAT: "xml" }), /text or json, found "xml"/);
  });
});
