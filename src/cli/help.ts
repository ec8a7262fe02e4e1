import { wrapText } from "#lib/wrap-text.ts";
import { type GlobalFlag, globalFlags } from "./global-flags.ts";

const commands = [
  ["serve", "Runs the daemon; also what happens without a command."],
  ["config [--default]", "Prints the configuration with descriptions, or the defaults."],
  ["status [-s SOCKET] [info|config|containers -i ID]", "Asks a running daemon about itself or a container."],
  ["ctl", "A client for pods, containers and images; see berth ctl help."],
  ["wipe [-f] [-s SOCKET]", "Removes pods that have ended; with -f all pods and all images."],
  ["check [-q]", "Verifies images, layers and records on disk; -q leaves out reading their content."],
  ["version [-j] [-v]", "Prints the version."],
  ["complete bash|zsh|fish", "Prints a script that completes commands and flags in that shell."],
  ["markdown", "Prints the reference of the configuration."],
  ["help [COMMAND]", "Prints this, or what one command does."],
] as const;

const indent = 8;
const width = 100;

/**
 * `berth help [COMMAND]`: what one command does, or all commands and all flags. `serve` and what is no command get the latter: all flags are
 * those of the daemon.
 */
export function help(command?: string): number {
  const found = command === "serve" ? undefined : commands.find(([usage]) => nameIn(usage) === command);
  return found === undefined ? overview() : ofCommand(found);
}

function ofCommand([usage, description]: (typeof commands)[number]): number {
  const lines = [
    `Usage: berth [FLAGS] ${usage}`,
    "",
    ...wrapText(description, width),
    "",
    "Flags are listed by berth help.",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function overview(): number {
  const { own, options } = globalFlags();
  const lines = [
    "berth - a Kubernetes container runtime (CRI v1)",
    "",
    "Usage: berth [FLAGS] [COMMAND]",
    "",
    "Commands:",
    ...commands.flatMap(([name, description]) => entry(name, description)),
    "",
    "Flags:",
    ...own.flatMap(describe),
    "",
    "Flags that set options of the configuration, each with an environment variable (docs/configuration.md):",
    ...options.flatMap(describe),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function describe({ names, short, isBoolean, description }: GlobalFlag): string[] {
  const written = [...names.map((name) => `--${name}`), ...(short === undefined ? [] : [`-${short}`])].join(", ");
  return entry(isBoolean ? written : `${written} VALUE`, description);
}

function entry(name: string, description: string): string[] {
  return [`  ${name}`, ...wrapText(description, width - indent).map((line) => " ".repeat(indent) + line)];
}

/** The words that name commands. */
export function commandNames(): string[] {
  return commands.map(([usage]) => nameIn(usage));
}

function nameIn(usage: string): string {
  return usage.split(" ")[0] ?? usage;
}
