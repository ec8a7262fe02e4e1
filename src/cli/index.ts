import { DomainError } from "#errors/domain-error.ts";

/**
 * Runs the subcommand that `argv` names (none: the daemon) and resolves with the exit status. Subcommands are imported
 * when they are needed: `berth version` must not pay for the daemon.
 * @throws DomainError invalid-argument for a command line that is not understood
 */
export async function run(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === "ctl") return await runCtl(rest);
  if ((first === "version" && !asksForHelp(rest)) || first === "--version" || first === "-v") {
    return (await import("./version.ts")).version(first === "version" ? rest : []);
  }
  return await runWithFlags(argv);
}

async function runWithFlags(argv: readonly string[]): Promise<number> {
  const { joinFlags, parseFlags } = await import("./flag-parser.ts");
  const { globalFlags } = await import("./global-flags.ts");
  const known = globalFlags().all;
  const leading = parseFlags(argv, known);
  const [word = "serve", ...rest] = leading.rest;
  if (leading.values.has("version")) return (await import("./version.ts")).version([]);
  if (leading.values.has("help")) return (await import("./help.ts")).help();
  if (word !== "ctl" && asksForHelp(rest)) return (await import("./help.ts")).help(word);
  switch (word) {
    case "serve": {
      const own = parseFlags(rest, known);
      expectNothing(own.rest);
      return await (await import("./serve.ts")).serve(joinFlags(leading.values, own.values));
    }
    case "config": {
      const own = parseFlags(rest, [...known, { names: ["default"], short: undefined, isBoolean: true }]);
      expectNothing(own.rest);
      return await (await import("./config.ts")).printConfig(joinFlags(leading.values, own.values));
    }
    case "version":
      return (await import("./version.ts")).version(rest);
    case "ctl":
      return await runCtl(rest);
    case "status":
      return await (await import("./status.ts")).status(leading.values, rest);
    case "wipe":
      return await (await import("./wipe.ts")).wipe(leading.values, rest);
    case "check":
      return await (await import("./check.ts")).check(leading.values, rest);
    case "complete":
    case "completion":
      return (await import("./complete.ts")).complete(rest[0]);
    case "markdown":
    case "md":
      process.stdout.write((await import("#config/render-markdown.ts")).renderMarkdown());
      return 0;
    case "help":
    case "h":
      return rest[0] === "ctl" ? await runCtl(["help", ...rest.slice(1)]) : (await import("./help.ts")).help(rest[0]);
    default:
      throw new DomainError("invalid-argument", `unknown command ${JSON.stringify(word)}; see berth help`);
  }
}

function asksForHelp(words: readonly string[]): boolean {
  return words.includes("--help") || words.includes("-h");
}

async function runCtl(argv: string[]): Promise<number> {
  return await (await import("./ctl/index.ts")).runCtl(argv);
}

function expectNothing(rest: readonly string[]): void {
  const [word] = rest;
  if (word !== undefined)
    throw new DomainError("invalid-argument", `unexpected ${JSON.stringify(word)}; see berth help`);
}
