import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pullSources } from "./pull-sources.ts";
import { formatReference, parseReference } from "./reference.ts";
import { loadRegistriesConf } from "./registries-conf.ts";
import { shortNameCandidates } from "./short-names.ts";

async function load(main: string, dropIns: Record<string, string> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "berth-registries-"));
  try {
    for (const [name, text] of Object.entries({ main, ...dropIns })) await writeFile(join(directory, name), text);
    return await loadRegistriesConf(join(directory, "main"), [directory, join(directory, "missing")]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function sourcesOf(conf: string, name: string): Promise<string[]> {
  const sources = pullSources(await load(conf), parseReference(name));
  return sources.map(({ reference, insecure, mirror }) =>
    [formatReference(reference), insecure ? "insecure" : "", mirror ? "mirror" : ""].filter(Boolean).join(" "),
  );
}

test("without files every reference is fetched where it says", async () => {
  const conf = await loadRegistriesConf("/nonexistent/registries.conf", ["/nonexistent/registries.conf.d"]);
  const reference = parseReference("quay.io/app:v1");
  assert.deepEqual(pullSources(conf, reference), [{ reference, insecure: false, mirror: false }]);
});

test("the longest prefix wins and ends at a boundary", async () => {
  const conf = `
    [[registry]]
    prefix = "example.com/team"
    location = "team.internal:5000/t"
    [[registry]]
    prefix = "example.com"
    location = "all.internal"
    insecure = true`;
  assert.deepEqual(await sourcesOf(conf, "example.com/team/app:v1"), ["team.internal:5000/t/app:v1"]);
  assert.deepEqual(await sourcesOf(conf, "example.com/teammate/app:v1"), ["all.internal/teammate/app:v1 insecure"]);
  assert.deepEqual(await sourcesOf(conf, "example.com.evil.io/app:v1"), ["example.com.evil.io/app:v1"]);
});

test("a wildcard prefix matches subdomains at any depth and nothing else", async () => {
  const conf = `
    [[registry]]
    prefix = "*.example.com"
    insecure = true
    [[registry]]
    prefix = "*.moved.org"
    location = "new.org/old"`;
  assert.deepEqual(await sourcesOf(conf, "a.b.example.com/app:v1"), ["a.b.example.com/app:v1 insecure"]);
  assert.deepEqual(await sourcesOf(conf, "example.com/app:v1"), ["example.com/app:v1"]);
  assert.deepEqual(await sourcesOf(conf, "a.example.com.org/app:v1"), ["a.example.com.org/app:v1"]);
  assert.deepEqual(await sourcesOf(conf, "other.io/x.example.com/app:v1"), ["other.io/x.example.com/app:v1"]);
  assert.deepEqual(await sourcesOf(conf, "hub.moved.org/app:v1"), ["new.org/old/app:v1"]);
});

test("mirrors come before the location, each for the references it may serve", async () => {
  const conf = `
    [[registry]]
    location = "docker.io"
    [[registry.mirror]]
    location = "cache.internal:5000/hub"
    insecure = true
    [[registry.mirror]]
    location = "digests.internal"
    pull-from-mirror = "digest-only"
    [[registry.mirror]]
    location = "tags.internal"
    pull-from-mirror = "tag-only"`;
  const digest = `sha256:${"a".repeat(64)}`;
  assert.deepEqual(await sourcesOf(conf, "busybox:1"), [
    "cache.internal:5000/hub/library/busybox:1 insecure mirror",
    "tags.internal/library/busybox:1 mirror",
    "docker.io/library/busybox:1",
  ]);
  assert.deepEqual(await sourcesOf(conf, `busybox@${digest}`), [
    `cache.internal:5000/hub/library/busybox@${digest} insecure mirror`,
    `digests.internal/library/busybox@${digest} mirror`,
    `docker.io/library/busybox@${digest}`,
  ]);
});

test("mirror-by-digest-only holds for all mirrors of its registry", async () => {
  const conf = `
    [[registry]]
    location = "quay.io"
    mirror-by-digest-only = true
    [[registry.mirror]]
    location = "mirror.internal"`;
  assert.deepEqual(await sourcesOf(conf, "quay.io/app:v1"), ["quay.io/app:v1"]);
});

test("a blocked registry is refused, and the message names the file", async () => {
  const conf = await load(`[[registry]]\nlocation = "bad.io"\nblocked = true`);
  assert.throws(() => pullSources(conf, parseReference("bad.io/app")), {
    kind: "permission-denied",
    message: /^the registry bad.io is blocked in .*\/main/,
  });
});

test("drop-ins are read in lexical order and replace what they name", async () => {
  const conf = await load(
    `unqualified-search-registries = ["a.io"]
     [[registry]]
     location = "one.io"
     [[registry]]
     location = "two.io"
     [aliases]
     kept = "a.io/kept"
     gone = "a.io/gone"
     moved = "a.io/moved"`,
    {
      "20.conf": `unqualified-search-registries = ["c.io"]\nshort-name-mode = "disabled"\n[aliases]\nmoved = "c.io/moved"\ngone = ""`,
      "10.conf": `unqualified-search-registries = ["b.io"]\n[[registry]]\nprefix = "two.io"\nlocation = "three.io"`,
      "ignored.txt": "not toml at all [",
    },
  );
  assert.deepEqual(conf.unqualifiedSearchRegistries, ["c.io"]);
  assert.equal(conf.shortNameMode, "disabled");
  assert.deepEqual(
    [...conf.aliases],
    [
      ["kept", "a.io/kept"],
      ["moved", "c.io/moved"],
    ],
  );
  assert.deepEqual(
    conf.entries.map(({ prefix, location }) => `${prefix}=${location}`),
    ["one.io=one.io", "two.io=three.io"],
  );
});

test("a file that is wrong is refused by name", async () => {
  const wrong: Record<string, RegExp> = {
    "[[registry": /main: /,
    '[registries.search]\nregistries = ["a.io"]': /version 1 of the format/,
    'short-name-mode = "sometimes"': /short-name-mode is "sometimes"/,
    "[[registry]]\ninsecure = true": /neither a prefix nor a location/,
    '[[registry]]\nprefix = "a.io"': /"a.io" has no location/,
    '[[registry]]\nprefix = "a*.io"\nlocation = "b.io"': /may have a \* only/,
    '[[registry]]\nlocation = "https://a.io"': /must not have a scheme/,
    '[[registry]]\nlocation = "a.io"\nblocked = "yes"': /blocked is neither/,
    '[[registry]]\nlocation = "a.io"\n[[registry]]\nlocation = "a.io"': /two \[\[registry\]\] tables/,
    '[[registry]]\nlocation = "a.io"\n[[registry.mirror]]\ninsecure = true': /mirror.*no location/,
    '[[registry]]\nlocation = "a.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "b.io"\npull-from-mirror = "all"':
      /exclude each other/,
  };
  for (const [text, message] of Object.entries(wrong))
    await assert.rejects(load(text), { kind: "failed-precondition", message }, text);
});

test("short names: aliases first, then the search registries as the mode allows", async () => {
  const conf = await load(
    `unqualified-search-registries = ["docker.io", "quay.io"]\n[aliases]\nfedora = "registry.fedoraproject.org/fedora"`,
  );
  const names = (name: string, mode?: "enforcing" | "permissive" | "disabled") =>
    shortNameCandidates(conf, name, mode).map(formatReference);
  assert.deepEqual(names("fedora:40"), ["registry.fedoraproject.org/fedora:40"]);
  assert.deepEqual(names("app"), ["docker.io/library/app:latest", "quay.io/app:latest"]);
  assert.deepEqual(names("a/b:1", "disabled"), ["docker.io/a/b:1", "quay.io/a/b:1"]);
  assert.deepEqual(names("other.io/app", "enforcing"), ["other.io/app:latest"]);
  assert.throws(() => names("app", "enforcing"), { kind: "invalid-argument", message: /any of docker.io, quay.io/ });
});

test("a short name without search registries is refused, with one it is not ambiguous", async () => {
  const none = await load("");
  assert.throws(() => shortNameCandidates(none, "app"), {
    kind: "invalid-argument",
    message: /unqualified-search-registries is empty in .*main/,
  });
  const one = await load(`unqualified-search-registries = ["quay.io"]`);
  assert.deepEqual(shortNameCandidates(one, "app", "enforcing").map(formatReference), ["quay.io/app:latest"]);
});
