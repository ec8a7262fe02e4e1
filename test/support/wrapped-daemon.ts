import { after, before } from "node:test";
import type { DaemonSettings } from "./daemon.ts";
import { type Fixture, useDaemon } from "./fixture.ts";
import { wrapPrograms, type WrappedPrograms } from "./wrapper.ts";

/** As `useDaemon`, for a daemon whose runtime, monitor and plugins make trouble when a test wants it. */
export function useWrappedDaemon(settings: DaemonSettings = {}): { suite: Fixture; programs: () => WrappedPrograms } {
  let programs: WrappedPrograms | undefined;
  const get = (): WrappedPrograms => {
    if (programs === undefined) throw new Error("the programs of this suite are not wrapped yet");
    return programs;
  };
  before(() => {
    programs = wrapPrograms();
  });
  const suite = useDaemon(() => ({
    runtimePath: get().runc.file,
    conmonPath: get().conmon.file,
    pluginFolders: [get().pluginFolder],
    ...settings,
  }));
  // After the daemon's end, which needs them.
  after(() => programs?.remove());
  return { suite, programs: get };
}
