import v8 from "node:v8";
import { dropProgramPages, trimMalloc } from "#kernel/memory.ts";
import { collectGarbage } from "#lib/collect-garbage.ts";
import type { MemorySteps } from "./memory-release.ts";

/** The memory of this process; `thread` has a heap of its own. */
export function processMemory(thread: { collectGarbage(): void }): MemorySteps {
  return {
    elapsedMs: () => performance.now(),
    residentBytes: () => process.memoryUsage.rss(),
    heapBytes: () => v8.getHeapStatistics().total_heap_size,
    collectGarbage() {
      thread.collectGarbage();
      collectGarbage();
    },
    async dropPages() {
      await trimMalloc();
      await dropProgramPages();
    },
    processorMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
  };
}
