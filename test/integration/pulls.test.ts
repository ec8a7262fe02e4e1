import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ImageService } from "#cri/gen/runtime/v1/api_pb.ts";
import { startDaemon } from "../support/daemon.ts";
import { startFaultyProxy } from "../support/faulty-proxy.ts";
import { buildImage, type BuiltImage } from "../support/image-builder.ts";
import { pull } from "../support/pods.ts";
import { registryAccount, startRegistry } from "../support/registry.ts";
import { rejects } from "../support/rejects.ts";
import { cannotRunPods } from "../support/requirements.ts";

const { pullImage } = ImageService.method;

let serial = 0;

/** A small image that no other test has the layers of. */
function smallImage(more: Partial<Parameters<typeof buildImage>[0]> = {}): BuiltImage {
  serial += 1;
  const content = `content ${process.pid} ${serial}\n`.repeat(5000);
  return buildImage({ layers: [{ entries: [{ path: "file", content }] }], config: { Cmd: ["/file"] }, ...more });
}

describe("a pull over a bad connection", { skip: cannotRunPods() }, () => {
  it("goes on where a broken download stopped", async () => {
    await using registry = await startRegistry();
    const noise = Array.from({ length: 40_000 }, (_, index) => `${Math.imul(index, 2_654_435_761)}`).join("");
    const built = buildImage({ layers: [{ entries: [{ path: "noise", content: noise }], compression: "none" }] });
    await registry.push(built, "test/broken", "v1");
    const layer = built.layers[0]?.digest ?? "";
    await using proxy = await startFaultyProxy(registry.host, ({ target, earlier }) =>
      target.endsWith(layer) && earlier < 2 ? { kind: "cut", afterBytes: 100_000 } : undefined,
    );
    await using daemon = await startDaemon({ insecureRegistries: [proxy.host] });
    await pull(daemon, `${proxy.host}/test/broken:v1`);
    const ranges = proxy.seen.filter(({ target }) => target.endsWith(layer)).map(({ range }) => range);
    assert.deepEqual([ranges[0], ranges.length], [undefined, 3]);
    assert.ok(
      ranges.slice(1).every((range) => /^bytes=[1-9]\d*-/.test(range ?? "")),
      ranges.join(),
    );
  });

  it("takes a layer from the registry that its mirror has damaged or loses, and names both where both are bad", async () => {
    await using registry = await startRegistry();
    const faults = { damaged: { kind: "corrupt", fromByte: 40 }, lost: { kind: "cut", afterBytes: 0 } } as const;
    let fault: (typeof faults)[keyof typeof faults] = faults.damaged;
    await using mirror = await startFaultyProxy(registry.host, ({ target }) =>
      layers.some((layer) => target.endsWith(layer)) ? fault : undefined,
    );
    let isBad = false;
    await using source = await startFaultyProxy(registry.host, ({ target }) =>
      isBad && layers.some((layer) => target.endsWith(layer)) ? fault : undefined,
    );
    const layers: string[] = [];
    const push = async (tag: string): Promise<string> => {
      const built = smallImage();
      layers.push(...built.layers.map(({ digest }) => digest));
      await registry.push(built, "test/mirrored", tag);
      return `${source.host}/test/mirrored:${tag}`;
    };
    const table = (kind: string, host: string): string => `[[${kind}]]\nlocation = "${host}"\ninsecure = true\n`;
    const registriesConf = table("registry", source.host) + table("registry.mirror", mirror.host);
    await using daemon = await startDaemon({ registriesConf });
    for (const [name, one] of Object.entries(faults)) {
      fault = one;
      await pull(daemon, await push(name));
    }
    fault = faults.damaged;
    isBad = true;
    const image = await push("bad");
    const wrong = "the content received is sha256:\\w+, not sha256:\\w+|gzip stream is damaged: .+";
    await rejects(
      pull(daemon, image),
      "DATA_LOSS",
      new RegExp(`at ${mirror.host}/test/mirrored: .*(${wrong}); at ${source.host}/test/mirrored: .*(${wrong})`),
    );
  });

  it("tries again when the registry answers that it is busy", async () => {
    await using registry = await startRegistry();
    await registry.push(smallImage(), "test/busy", "v1");
    await using proxy = await startFaultyProxy(registry.host, ({ target, earlier }) =>
      target.includes("/manifests/") && earlier === 0 ? { kind: "answer", status: 503 } : undefined,
    );
    await using daemon = await startDaemon({ insecureRegistries: [proxy.host] });
    await pull(daemon, `${proxy.host}/test/busy:v1`);
  });

  it("is shared by all who ask for the same image, and layers that are there are not fetched", async () => {
    await using registry = await startRegistry();
    const base = { entries: [{ path: "base", content: "b".repeat(100_000) }] };
    const one = buildImage({ layers: [base, { entries: [{ path: "one", content: "1" }] }] });
    const two = buildImage({ layers: [base, { entries: [{ path: "two", content: "2" }] }] });
    await registry.push(one, "test/shared", "one");
    await registry.push(two, "test/shared", "two");
    await using proxy = await startFaultyProxy(registry.host, () => undefined);
    await using daemon = await startDaemon({ insecureRegistries: [proxy.host] });
    const pulls = ["one", "one", "one", "two"].map((tag) => pull(daemon, `${proxy.host}/test/shared:${tag}`));
    await Promise.all(pulls);
    await pull(daemon, `${proxy.host}/test/shared:one`);
    for (const { digest } of [...one.layers, ...two.layers]) {
      const fetched = proxy.seen.filter(({ method, target }) => method === "GET" && target.endsWith(digest));
      assert.equal(fetched.length, 1, `${digest} was fetched ${fetched.length} times`);
    }
  });
});

describe("a registry with accounts", { skip: cannotRunPods() }, () => {
  it("is entered with the request's user and password, in either form, and not without", async () => {
    await using registry = await startRegistry({ auth: true });
    await using daemon = await startDaemon({ insecureRegistries: [registry.host] });
    const { username, password } = registryAccount;
    const [first, second] = [
      await registry.push(smallImage(), "test/private", "one"),
      await registry.push(smallImage(), "test/private", "two"),
    ];
    const attempt = (image: string, auth: object) => daemon.client.call(pullImage, { image: { image }, auth });
    await rejects(
      daemon.client.call(pullImage, { image: { image: first } }),
      ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNKNOWN"],
      /401|unauthorized|authentication/i,
    );
    await rejects(
      attempt(first, { username, password: "wrong" }),
      ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNKNOWN"],
      /401|unauthorized|authentication|credentials/i,
    );
    assert.doesNotMatch(daemon.log(), /wrong/);
    await attempt(first, { username, password });
    await attempt(second, { auth: Buffer.from(`${username}:${password}`).toString("base64") });
    assert.doesNotMatch(daemon.log(), new RegExp(password));
  });
});
