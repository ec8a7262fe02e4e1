import { DomainError } from "#errors/domain-error.ts";
import { globalFlags } from "./global-flags.ts";
import { commandNames } from "./help.ts";

/** `berth complete bash|zsh|fish`: prints a script that completes commands and flags in that shell. */
export function complete(shell = ""): number {
  const flags = globalFlags().all.flatMap(({ names }) => names);
  const words = [...commandNames(), ...flags.map((name) => `--${name}`)].join(" ");
  switch (shell) {
    case "bash":
      process.stdout.write(`complete -o default -W ${quote(words)} berth\n`);
      return 0;
    case "zsh":
      process.stdout.write(`#compdef berth\n_arguments "*: :(${words})"\n`);
      return 0;
    case "fish":
      process.stdout.write(`complete -c berth -f -n __fish_use_subcommand -a ${quote(commandNames().join(" "))}\n`);
      for (const name of flags) process.stdout.write(`complete -c berth -l ${name}\n`);
      return 0;
    default:
      throw new DomainError("invalid-argument", "berth complete needs bash, zsh or fish");
  }
}

function quote(words: string): string {
  return `'${words}'`;
}
