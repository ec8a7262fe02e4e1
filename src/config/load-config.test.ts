import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { DomainError } from "#errors/domain-error.ts";
import { defaultConfig } from "./default-config.ts";
import { type ConfigSources, loadConfig } from "./load-config.ts";
import { renderToml } from "./render-toml.ts";

let base: string;
let directory: string;

before(async () => {
  base = await mkdtemp(path.join(tmpdir(), "berth-config-"));
});
after(() => rm(base, { recursive: true }));
beforeEach(async () => {
  directory = await mkdtemp(path.join(base, "case-"));
});

async function write(name: string, content: string): Promise<string> {
  const file = path.join(directory, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

function load(sources: Partial<ConfigSources>) {
  return loadConfig({
    file: "",
    fileIsRequired: false,
    directory: "",
    environment: {},
    flags: new Map(),
    ...sources,
  });
}

async function failure(sources: Partial<ConfigSources>): Promise<DomainError> {
  try {
    await load(sources);
  } catch (error) {
    assert.ok(error instanceof DomainError, String(error));
    return error;
  }
  return assert.fail("the configuration was accepted");
}

describe("the order of sources", () => {
  it("gives the defaults when there is no source, and warns of nothing", async () => {
    const loaded = await load({ file: path.join(directory, "missing.conf"), directory: path.join(directory, "none") });
    assert.deepEqual(loaded.config, defaultConfig());
    assert.deepEqual(loaded.warnings, []);
    assert.deepEqual(loaded.files, []);
  });

  it("lets files win over defaults, later files over earlier, the environment over files, and flags over all", async () => {
    const file = await write(
      "crio.conf",
      '[crio.runtime]\nlog_level = "debug"\nlog_filter = "a"\n[crio.image]\npause_image = "p/a"\npause_command = "/a"\n',
    );
    await write("crio.conf.d/10-b.conf", '[crio.runtime]\nlog_filter = "b"\n[crio.image]\npause_image = "p/b"\n');
    await write("crio.conf.d/05-sub/z.conf", '[crio.runtime]\nlog_filter = "sub"\n');
    const { config, files } = await load({
      file,
      directory: path.join(directory, "crio.conf.d"),
      environment: { CONTAINER_PAUSE_IMAGE: "p/env", CONTAINER_LOG_LEVEL: "warn", CONTAINER_ROOT: "" },
      flags: new Map([["log-level", ["error"]]]),
    });
    assert.equal(config.image.pauseCommand, "/a");
    assert.equal(config.runtime.logFilter, "b");
    assert.equal(config.image.pauseImage, "p/env");
    assert.equal(config.runtime.logLevel, "error");
    assert.equal(config.crio.root, "/var/lib/berth");
    assert.deepEqual(
      files.map((name) => path.relative(directory, name)),
      ["crio.conf", "crio.conf.d/05-sub/z.conf", "crio.conf.d/10-b.conf"],
    );
  });

  it("follows symbolic links to files in the directory and passes over links to directories", async () => {
    const target = await write("real.conf", '[crio.runtime]\nlog_level = "debug"\n');
    await mkdir(path.join(directory, "d"));
    await symlink(target, path.join(directory, "d/link.conf"));
    await symlink(path.dirname(target), path.join(directory, "d/linked-directory"));
    const { config } = await load({ directory: path.join(directory, "d") });
    assert.equal(config.runtime.logLevel, "debug");
  });

  it("refuses to start without a file that was asked for", async () => {
    const error = await failure({ file: "/nonexistent/berth.conf", fileIsRequired: true });
    assert.equal(error.kind, "not-found");
    assert.match(error.message, /\/nonexistent\/berth\.conf/);
  });
});

describe("named tables", () => {
  it("merges handlers of the same name over files, option by option, and keeps the built-in ones", async () => {
    const file = await write("crio.conf", '[crio.runtime.runtimes.crun]\nruntime_path = "/opt/crun"\n');
    await write("d/a.conf", '[crio.runtime.runtimes.crun]\nmonitor_path = "/opt/conmon"\n');
    await write("d/b.conf", '[crio.runtime.runtimes.gvisor]\nruntime_path = "/opt/runsc"\n');
    const { config } = await load({ file, directory: path.join(directory, "d") });
    const { runtimes } = config.runtime;
    assert.deepEqual([...runtimes.keys()], ["crun", "runc", "gvisor"]);
    assert.equal(runtimes.get("crun")?.runtimePath, "/opt/crun");
    assert.equal(runtimes.get("crun")?.monitorPath, "/opt/conmon");
    assert.equal(runtimes.get("crun")?.containerMinMemoryBytes, 500 * 1024);
    assert.equal(runtimes.get("gvisor")?.containerMinMemoryBytes, 12 * 1024 * 1024);
  });

  it("keeps a handler whose table says nothing", async () => {
    const file = await write("crio.conf", "[crio.runtime.runtimes.youki]\n");
    const { config } = await load({ file });
    assert.equal(config.runtime.runtimes.get("youki")?.runtimeType, "oci");
  });

  it("drops a handler of a type that berth does not run, with a warning, but refuses it as the default", async () => {
    const table = '[crio.runtime.runtimes.kata]\nruntime_type = "vm"\n';
    const { config, warnings } = await load({ file: await write("a.conf", table) });
    assert.equal(config.runtime.runtimes.has("kata"), false);
    assert.match(warnings[0]?.message ?? "", /kata/);
    const error = await failure({ file: await write("b.conf", `[crio.runtime]\ndefault_runtime = "kata"\n${table}`) });
    assert.match(error.message, /b\.conf:2:1: crio\.runtime\.default_runtime .*"kata"; there are crun, runc/);
  });

  it("reads workloads with their resources, and asks for the activation annotation", async () => {
    const resources = 'resources = { cpushares = 512, cpuset = "0-1" }\n';
    const good = await write("a.conf", `[crio.runtime.workloads.m]\nactivation_annotation = "t/m"\n${resources}`);
    const workload = (await load({ file: good })).config.runtime.workloads.get("m");
    assert.equal(workload?.resources.cpuShares, 512);
    assert.equal(workload?.resources.cpuSet, "0-1");
    const error = await failure({ file: await write("b.conf", `[crio.runtime.workloads.m]\n${resources}`) });
    assert.match(error.message, /b\.conf:1:1: crio\.runtime\.workloads\.m must have an activation_annotation/);
  });

  it("takes a whole handler from the flag --runtimes", async () => {
    const { config } = await load({
      flags: new Map([["runtimes", ["a:/bin/a:/run/a:oci:true::20MiB", "b:/bin/b"]]]),
    });
    const a = config.runtime.runtimes.get("a");
    assert.equal(a?.runtimePath, "/bin/a");
    assert.equal(a?.runtimeRoot, "/run/a");
    assert.equal(a?.privilegedWithoutHostDevices, true);
    assert.equal(a?.containerMinMemoryBytes, 20 * 1024 * 1024);
    assert.equal(config.runtime.runtimes.get("b")?.runtimePath, "/bin/b");
    const error = await failure({ flags: new Map([["runtimes", ["a"]]]) });
    assert.match(error.message, /flag --runtimes: .* name:path/);
  });
});

describe("configurations written for CRI-O", () => {
  it("takes what packages of CRI-O ship without a warning", async () => {
    const file = await write(
      "10-crio.conf",
      `[crio.image]
signature_policy = "/etc/crio/policy.json"
[crio.runtime]
default_runtime = "crun"
[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
runtime_root = "/run/crun"
monitor_path = "/usr/libexec/crio/conmon"
allowed_annotations = ["io.containers.trace-syscall"]
[crio.runtime.runtimes.runc]
runtime_path = "/usr/libexec/crio/runc"
runtime_root = "/run/runc"
monitor_path = "/usr/libexec/crio/conmon"
`,
    );
    const { config, warnings } = await load({ file });
    assert.deepEqual(warnings, []);
    assert.deepEqual(config.runtime.runtimes.get("crun")?.allowedAnnotations, ["io.containers.trace-syscall"]);
  });

  it("takes what minikube writes, with a warning of the deprecated option alone", async () => {
    const file = await write(
      "02-crio.conf",
      `[crio.image]
pause_image = "registry.k8s.io/pause:3.10.1"
[crio.network]
# cni_default_network = ""
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
default_sysctls = [
  "net.ipv4.ip_unprivileged_port_start=0",
]
`,
    );
    const { config, warnings } = await load({ file });
    assert.deepEqual(
      warnings.map(({ key }) => key),
      ["crio.runtime.conmon_cgroup"],
    );
    assert.deepEqual(config.runtime.defaultSysctls, ["net.ipv4.ip_unprivileged_port_start=0"]);
  });
});

describe("mistakes", () => {
  it("names file, line and column of a value of the wrong type, what was found and what is allowed", async () => {
    const file = await write("crio.conf", '# first\n[crio.runtime]\n  pids_limit = "many"\n');
    const error = await failure({ file });
    assert.equal(error.kind, "invalid-argument");
    assert.equal(error.message, `${file}:3:3: crio.runtime.pids_limit must be a whole number, found the string "many"`);
    assert.deepEqual(error.facts, { key: "crio.runtime.pids_limit", file, line: 3, column: 3 });
  });

  it("names line and column of broken TOML", async () => {
    const file = await write("crio.conf", "[crio]\nroot = \n");
    assert.match((await failure({ file })).message, /crio\.conf:2:\d+: /);
  });

  const refused: [string, string, RegExp][] = [
    ["a relative path", '[crio]\nroot = "var/lib"', /crio\.root must be an absolute path, found the string "var\/lib"/],
    ["a word out of no choice", '[crio.runtime]\ncgroup_manager = "x"', /must be one of "systemd", "cgroupfs"/],
    ["an ulimit without limits", '[crio.runtime]\ndefault_ulimits = ["nofile"]', /name=soft:hard/],
    ["an unknown ulimit", '[crio.runtime]\ndefault_ulimits = ["files=1:2"]', /must name one of as, core/],
    ["a soft ulimit above the hard one", '[crio.runtime]\ndefault_ulimits = ["nofile=3:2"]', /within the hard limit/],
    ["a sysctl with spaces", '[crio.runtime]\ndefault_sysctls = ["net.a = 1"]', /without spaces/],
    ["a device without path", '[crio.runtime]\nadditional_devices = ["sda"]', /must be a device/],
    ["a bad regular expression", '[crio.runtime]\nlog_filter = "("', /must be a regular expression/],
    ["a port out of range", "[crio.metrics]\nmetrics_port = 70000", /must be from 0 to 65535, found 70000/],
    ["a fraction for a whole number", "[crio.metrics]\nmetrics_port = 1.5", /whole number, found the number 1\.5/],
    ["a duration without unit", '[crio.image]\npull_progress_timeout = "5"', /must be a duration/],
    ["a value for a section", "[crio]\napi = 3", /crio\.api must be a table/],
    ["TLS without certificate", "[crio.api]\nstream_enable_tls = true", /needs stream_tls_cert/],
    ["runroot in root", '[crio]\nrunroot = "/var/lib/berth/run"', /must be apart from root/],
    [
      "a slice without systemd",
      '[crio.runtime]\ncgroup_manager = "cgroupfs"\nconmon_cgroup = "a.slice"',
      /"pod" or empty/,
    ],
    ["a socket path that the kernel cannot bind", `[crio.api]\nlisten = "/${"x".repeat(120)}"`, /at most 107 bytes/],
  ];
  for (const [name, content, expected] of refused) {
    it(`refuses ${name}`, async () => {
      const error = await failure({ file: await write("crio.conf", `${content}\n`) });
      assert.match(error.message, expected);
      assert.match(error.message, /crio\.conf:\d+:\d+: /);
    });
  }

  it("names the variable or the flag that holds a bad value", async () => {
    const fromEnvironment = await failure({ environment: { CONTAINER_PIDS_LIMIT: "x" } });
    assert.match(fromEnvironment.message, /^environment variable CONTAINER_PIDS_LIMIT: crio\.runtime\.pids_limit must/);
    const fromFlag = await failure({ flags: new Map([["selinux", ["perhaps"]]]) });
    assert.match(fromFlag.message, /^flag --selinux: crio\.runtime\.selinux must be one of/);
  });

  it("warns of unknown keys with line and suggestion, also when the key belongs to another table", async () => {
    const file = await write("crio.conf", "[crio]\nroots = 1\ncgroup_manager = 1\nqqq = 1\n[else]\na = 1\n");
    const { warnings } = await load({ file });
    assert.deepEqual(
      warnings.map(({ key, line, suggestion }) => [key, line, suggestion]),
      [
        ["crio.roots", 2, "crio.root"],
        ["crio.cgroup_manager", 3, "crio.runtime.cgroup_manager"],
        ["crio.qqq", 4, undefined],
        ["else", 5, undefined],
      ],
    );
  });

  it("warns of options without effect and of deprecated ones, but only where they differ from the default", async () => {
    const file = await write(
      "crio.conf",
      "[crio]\ninternal_repair = false\n[crio.runtime]\npids_limit = 10\nlog_size_max = -1\n[crio.nri]\nenable_nri = true\n",
    );
    const { warnings } = await load({ file });
    assert.deepEqual(
      warnings.map(({ key, line }) => [key, line]),
      [
        ["crio.internal_repair", 2],
        ["crio.runtime.pids_limit", 4],
      ],
    );
  });
});

describe("values", () => {
  it("reads durations as Go writes them, into milliseconds, and integers as nanoseconds", async () => {
    const file = await write(
      "crio.conf",
      '[crio.api]\nstream_idle_timeout = ""\n[crio.image]\npull_progress_timeout = "1m30.5s"\n[crio.nri]\nnri_plugin_request_timeout = 3000000000\n',
    );
    const { config } = await load({ file });
    assert.equal(config.api.streamIdleTimeoutMs, 4 * 3600_000);
    assert.equal(config.image.pullProgressTimeoutMs, 90_500);
    assert.equal(config.nri.nriPluginRequestTimeoutMs, 3000);
  });

  it("takes a list from a flag given several times, or once with commas", async () => {
    const repeated = await load({ flags: new Map([["default-env", ["A=1,2", "B=3"]]]) });
    assert.deepEqual(repeated.config.runtime.defaultEnv, ["A=1,2", "B=3"]);
    const commas = await load({ environment: { CONTAINER_DEFAULT_CAPABILITIES: "CHOWN, KILL" } });
    assert.deepEqual(commas.config.runtime.defaultCapabilities, ["CHOWN", "KILL"]);
  });

  it("replaces values that stand for others: floors of timeouts, message sizes that say default", async () => {
    const file = await write(
      "crio.conf",
      "[crio.api]\ngrpc_max_send_msg_size = 0\n[crio.runtime]\nctr_stop_timeout = 5\n[crio.runtime.runtimes.crun]\nruntime_type = ''\ncontainer_create_timeout = 1\n",
    );
    const { config } = await load({ file });
    assert.equal(config.api.grpcMaxSendMsgSizeBytes, 80 * 1024 * 1024);
    assert.equal(config.runtime.ctrStopTimeoutSeconds, 30);
    assert.equal(config.runtime.runtimes.get("crun")?.containerCreateTimeoutSeconds, 30);
    assert.equal(config.runtime.runtimes.get("crun")?.runtimeType, "oci");
  });

  it("takes SELinux as a boolean, as CRI-O has it", async () => {
    const file = await write("crio.conf", "[crio.runtime]\nselinux = false\n");
    assert.equal((await load({ file })).config.runtime.selinux, "false");
  });
});

describe("the printed configuration", () => {
  it("reads back as the same configuration", async () => {
    const loaded = await load({
      flags: new Map([
        ["runtimes", ["my.handler:/bin/a"]],
        ["default-env", ["A=1", 'B="x"']],
        ["selinux", ["true"]],
        ["stream-idle-timeout", ["1h5s"]],
        ["max-unpacked-layer-bytes", ["5GiB"]],
      ]),
    });
    const file = await write("printed.conf", renderToml(loaded.config));
    assert.deepEqual((await load({ file, fileIsRequired: true })).config, loaded.config);
  });

  it("sets nothing when everything has its default", async () => {
    const set = renderToml(defaultConfig())
      .split("\n")
      .filter((line) => line !== "" && !/^[#[]/.test(line));
    assert.deepEqual(set, []);
  });

  it("is valid and equal to the defaults when all comments in front of options are taken away", async () => {
    const bare = renderToml(defaultConfig()).replaceAll(/^# (?=[a-z_]+ = |  ".*",$|\]$)/gm, "");
    const file = await write("bare.conf", bare);
    const loaded = await load({ file });
    assert.deepEqual(loaded.config, defaultConfig());
    assert.deepEqual(loaded.warnings, []);
  });
});
