import { randomInt } from "node:crypto";
import { DomainError } from "#errors/domain-error.ts";
import type { SelinuxLevels } from "./index.ts";

/** Policies have 1024 categories; two different ones make 523,776 levels. */
const categories = 1024;

/** Levels `s0:cA,cB` with A < B, chosen at random so that two pods cannot guess to share one. */
export class RandomLevels implements SelinuxLevels {
  readonly #used = new Set<string>();

  allocate(): string {
    const attempts = 10_000;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const low = randomInt(0, categories - 1);
      const level = `s0:c${low},c${randomInt(low + 1, categories)}`;
      if (this.#used.has(level)) continue;
      this.#used.add(level);
      return level;
    }
    throw new DomainError("resource-exhausted", `${this.#used.size} SELinux levels are in use; no free one was found`);
  }

  reserve(level: string): void {
    this.#used.add(level);
  }

  release(level: string): void {
    this.#used.delete(level);
  }
}
