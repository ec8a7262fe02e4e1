import { messageOf } from "#errors/domain-error.ts";
import type { Logger } from "#observability/logger.ts";
import type { TerminalSize } from "#streaming/backend.ts";

/** Hands each size to `set` until the session ends. A size that cannot be set is nothing to end a session for. */
export async function followSize(
  sizes: AsyncIterable<TerminalSize>,
  set: (size: TerminalSize) => Promise<unknown> | void,
  logger: Logger,
): Promise<void> {
  for await (const size of sizes) {
    try {
      await set(size);
    } catch (error) {
      logger.debug("a terminal could not be resized", { error: messageOf(error) });
    }
  }
}
