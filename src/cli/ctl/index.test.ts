import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { LayerState, Progress } from "#cri/gen/berth/v1/progress_pb.ts";
import { ContainerState, ImageService, PodSandboxState, RuntimeService } from "#cri/gen/runtime/v1/api_pb.ts";
import { answers, startFakeCri, streams, type FakeCri } from "../../../test/support/fake-cri.ts";
import { runCtl } from "./index.ts";

const layer = `sha256:${"ab".repeat(32)}`;
const running = ContainerState.CONTAINER_RUNNING;
const containers = [
  {
    id: `aa11${"0".repeat(60)}`,
    metadata: { name: "web" },
    image: { image: "r/web:1" },
    state: running,
    createdAt: 1n,
  },
  { id: `aa22${"0".repeat(60)}`, metadata: { name: "db" }, image: { image: "r/db:1" }, state: running, createdAt: 2n },
];
const stopped: string[] = [];

const rpcs = [
  answers(RuntimeService.method.version, () => ({
    runtimeName: "fake",
    runtimeVersion: "1.2",
    runtimeApiVersion: "v1",
  })),
  answers(RuntimeService.method.listContainers, () => ({ containers })),
  answers(RuntimeService.method.listPodSandbox, () => ({
    items: [
      { id: `bb${"0".repeat(62)}`, metadata: { name: "p", namespace: "n" }, state: PodSandboxState.SANDBOX_READY },
    ],
  })),
  answers(RuntimeService.method.execSync, ({ cmd }) => ({
    stdout: Buffer.from(`${cmd.join(" ")}\n`),
    stderr: Buffer.from("oops\n"),
    exitCode: 7,
  })),
  answers(RuntimeService.method.stopContainer, ({ containerId }) => {
    if (containerId.startsWith("aa22")) {
      throw Object.assign(new Error("no such container"), { code: status.NOT_FOUND, details: "it is gone" });
    }
    stopped.push(containerId);
    return {};
  }),
  answers(ImageService.method.listImages, () => ({
    images: [
      {
        id: layer,
        repoTags: ["127.0.0.1:5000/a:1", "127.0.0.1:5000/a:2"],
        repoDigests: [`127.0.0.1:5000/a@${layer}`],
        size: 1_500_000n,
      },
    ],
  })),
  answers(ImageService.method.pullImage, () => ({ imageRef: "the-ref" })),
  streams(Progress.method.watchPull, () => [
    { layer, doneBytes: 1n, totalBytes: 2_000_000n, state: LayerState.FETCHING },
    { layer, doneBytes: 2_000_000n, totalBytes: 2_000_000n, state: LayerState.DONE },
  ]),
];

describe("berth ctl", () => {
  let fake: FakeCri;
  before(async () => {
    fake = await startFakeCri(rpcs);
  });
  after(() => fake.stop());

  async function ctl(...argv: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const written = { stdout: "", stderr: "" };
    const screen = (name: "stdout" | "stderr") => ({
      write: (text: string | Uint8Array) => {
        written[name] += Buffer.from(text).toString("utf8");
      },
    });
    const environment = { CONTAINER_RUNTIME_ENDPOINT: `unix://${fake.socketPath}` };
    const exitCode = await runCtl(argv, { stdout: screen("stdout"), stderr: screen("stderr"), environment });
    return { exitCode, ...written };
  }

  it("finds the socket in the environment", async () => {
    assert.deepEqual(await ctl("version"), { exitCode: 0, stdout: "fake 1.2, CRI v1\n", stderr: "" });
  });

  it("takes common options before and after the subcommand", async () => {
    const asJson = await ctl("-o", "json", "version");
    assert.equal((JSON.parse(asJson.stdout) as { runtimeName: string }).runtimeName, "fake");
    assert.deepEqual(await ctl("version", "-o", "json"), asJson);
  });

  it("lists containers in a table, the newest first", async () => {
    const { stdout } = await ctl("ps");
    const [titles = "", ...rows] = stdout.trimEnd().split("\n");
    assert.match(titles, /^CONTAINER +IMAGE +CREATED +STATE +NAME +ATTEMPT +POD ID$/);
    assert.deepEqual(
      rows.map((row) => row.split(/ +/).slice(0, 2)),
      [
        ["aa22000000000", "r/db:1"],
        ["aa11000000000", "r/web:1"],
      ],
    );
  });

  it("lists an image once for each tag, the registry's port left in the name", async () => {
    const { stdout } = await ctl("images");
    assert.deepEqual(stdout.trimEnd().split("\n").slice(1), [
      "127.0.0.1:5000/a   1     ababababababa   1.5MB",
      "127.0.0.1:5000/a   2     ababababababa   1.5MB",
    ]);
  });

  it("exits with the status of the command it executes", async () => {
    assert.deepEqual(await ctl("exec", "web", "ls", "-l"), { exitCode: 7, stdout: "ls -l\n", stderr: "oops\n" });
  });

  it("refuses an id that fits several containers and names them", async () => {
    const { exitCode, stderr } = await ctl("exec", "aa", "ls");
    assert.equal(exitCode, 1);
    assert.match(stderr, /^berth ctl: aa could be any of 2 containers: aa11000000000, aa22000000000; /);
  });

  it("goes on with the next container when one cannot be stopped", async () => {
    const { exitCode, stdout, stderr } = await ctl("stop", "db", "web");
    assert.equal(exitCode, 1);
    assert.equal(stderr, "db: StopContainer: NOT_FOUND: it is gone\n");
    assert.equal(stdout, `${containers[0]?.id}\n`);
    assert.deepEqual(stopped, [containers[0]?.id]);
  });

  it("prints the reference of a pulled image to stdout and the finished layers to stderr", async () => {
    const { exitCode, stdout, stderr } = await ctl("pull", "r/web:1");
    assert.deepEqual([exitCode, stdout], [0, "the-ref\n"]);
    assert.match(stderr, /^(ababababababa \[=+\] 2MB done\n)?$/);
  });

  it("refuses to remove what runs unless forced", async () => {
    assert.match((await ctl("rm", "web")).stderr, /^web: the container runs; /);
    assert.match((await ctl("rmp", "p")).stderr, /^p: the pod is ready; /);
  });

  it("says which RPC failed and how, and exits with 1", async () => {
    const { exitCode, stderr } = await ctl("stats");
    assert.equal(exitCode, 1);
    assert.match(stderr, /^berth ctl: ListContainerStats: UNIMPLEMENTED: /);
  });

  it("says what is wrong with a command line", async () => {
    assert.match((await ctl("nope")).stderr, /^berth ctl: unknown subcommand nope; see berth ctl --help\n$/);
    assert.match((await ctl("pull")).stderr, /pull needs IMAGE/);
    assert.match((await ctl("version", "x")).stderr, /version takes no operands/);
    assert.match((await ctl("ps", "-o", "yaml")).stderr, /neither table nor json/);
  });

  it("has help for itself and for each subcommand", async () => {
    const overview = await ctl("--help");
    assert.equal(overview.exitCode, 0);
    const names = [...overview.stdout.matchAll(/^ {2}(\w+) +[A-Z]/gm)].map(([, name = ""]) => name);
    assert.deepEqual(names, "version info pods ps images pull run exec logs inspect stats stop rm rmp rmi".split(" "));
    for (const name of names) {
      const { exitCode, stdout } = await ctl(name, "--help");
      assert.equal(exitCode, 0);
      assert.ok(stdout.startsWith(`Usage: berth ctl ${name} [OPTIONS]`));
    }
  });
});
