import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findProgram } from "#kernel/program-path.ts";
import { run } from "#kernel/spawn.ts";

const timeoutMs = 10_000;

/**
 * The text inside of an OpenPGP message that one of the keys has signed. gpgv checks it: it knows nothing but the keyring that it is given.
 * @param keys armoured or binary
 * @throws Error for any other message, and when gpgv is not installed
 */
export async function openSignedMessage(keys: readonly Uint8Array[], message: Uint8Array): Promise<string> {
  const program = findProgram("gpgv");
  if (program === undefined) throw new Error("gpgv, which checks OpenPGP signatures, is not installed");
  const home = await mkdtemp(path.join(tmpdir(), "berth-gpgv-"));
  try {
    const keyring = path.join(home, "keyring.gpg");
    await writeFile(keyring, Buffer.concat(keys.map(dearmoured)), { mode: 0o600 });
    const argv = [program, "--homedir", home, "--status-fd", "2", "--keyring", keyring, "--output", "-"];
    const { exitCode, stdout, stderr } = await run(argv, { input: message, timeoutMs });
    const status = statusLines(stderr.toString("utf8"));
    if (exitCode !== 0 || !isOneGoodSignature(status)) throw new Error(whyNot(status, stderr.toString("utf8")));
    return stdout.toString("utf8");
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Keywords that gpgv reports (GnuPG's doc/DETAILS), in order. */
function statusLines(stderr: string): string[] {
  return stderr.split("\n").flatMap((line) => /^\[GNUPG:\] (\S+)/.exec(line)?.[1] ?? []);
}

/** One text, one signature, and that one good: no key that is expired or revoked, nothing unsigned beside it. */
function isOneGoodSignature(status: readonly string[]): boolean {
  return ["PLAINTEXT", "NEWSIG", "GOODSIG", "VALIDSIG"].every(
    (keyword) => status.filter((one) => one === keyword).length === 1,
  );
}

function whyNot(status: readonly string[], stderr: string): string {
  if (status.includes("NO_PUBKEY")) return "it was signed with a key that is not in the policy";
  if (status.includes("BADSIG")) return "the text was changed after it was signed";
  if (status.includes("EXPKEYSIG") || status.includes("REVKEYSIG")) return "the key is expired or revoked";
  const words = stderr.split("\n").findLast((line) => line !== "" && !line.startsWith("[GNUPG:]"));
  return words ?? "gpgv found no good signature";
}

/** gpgv reads binary keyrings only. */
function dearmoured(key: Uint8Array): Buffer {
  const text = Buffer.from(key).toString("latin1");
  const blocks = [
    ...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([^]*?)-----END PGP PUBLIC KEY BLOCK-----/g),
  ];
  if (blocks.length === 0) return Buffer.from(key);
  return Buffer.concat(
    blocks.map(([, block = ""]) => {
      // Headers end with an empty line; the last line that begins with = is a checksum.
      const body = block.replace(/^(?:[A-Za-z]+: .*\r?\n)*\r?\n/, "").replace(/^=[A-Za-z0-9+/]{4}\s*$/m, "");
      return Buffer.from(body, "base64");
    }),
  );
}
