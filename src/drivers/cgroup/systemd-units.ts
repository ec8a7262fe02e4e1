import { DomainError, messageOf } from "#errors/domain-error.ts";
import { fileExists } from "#lib/file-exists.ts";
import { DbusConnection, DbusError } from "./dbus/connection.ts";
import { textOf } from "./dbus/values.ts";
import type { DbusValue } from "./dbus/values.ts";

/** A property of a unit with its D-Bus type, as systemd-run(1) would set it. */
export type UnitProperty = readonly [name: string, signature: string, value: DbusValue];

/** The system's service manager, reached over D-Bus (org.freedesktop.systemd1(5)). */
export interface SystemdUnits {
  /**
   * Makes and starts a unit that exists only while it is needed. Resolves when systemd has done it.
   * @throws DomainError already-exists, or internal with what systemd said
   */
  startTransient(name: string, properties: readonly UnitProperty[]): Promise<void>;
  /** Stops a unit and waits for it. Nothing happens to one that does not exist. */
  stop(name: string): Promise<void>;
  /** Changes properties of a unit until the next reboot. */
  setProperties(name: string, properties: readonly UnitProperty[]): Promise<void>;
  close(): void;
}

/** The message bus, and systemd's own socket, which is there before the bus is and where no bus is installed. */
const systemBus = "/run/dbus/system_bus_socket";
const privateSocket = "/run/systemd/private";

const service = "org.freedesktop.systemd1";
const manager = { destination: service, path: "/org/freedesktop/systemd1", interface: `${service}.Manager` } as const;
const bus = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;
const jobTimeoutMs = 60_000;

/** Connects when it is first used, and again after the connection was lost (`systemctl daemon-reexec`). */
export function systemdUnits(): SystemdUnits {
  let current: Promise<DbusConnection> | undefined;

  async function connection(): Promise<DbusConnection> {
    const known = await current?.catch(() => undefined);
    if (known?.isOpen === true) return known;
    current = connect();
    return current;
  }

  /** Calls a method that queues a job, and waits until the job is done. */
  async function runJob(member: string, signature: string, body: readonly DbusValue[], unit: string): Promise<void> {
    const systemd = await connection();
    using jobs = new JobResults(systemd, unit);
    const [job] = await systemd.call({ ...manager, member, signature, body });
    const result = await jobs.of(textOf(job));
    if (result !== "done") {
      throw new DomainError("internal", `systemd could not ${member} ${unit}: the job ended with ${result}`);
    }
  }

  return {
    async startTransient(name, properties) {
      const body = [name, "fail", properties.map(asVariant), []];
      await named(name, "start", () => runJob("StartTransientUnit", "ssa(sv)a(sa(sv))", body, name));
    },

    async stop(name) {
      await named(name, "stop", () =>
        runJob("StopUnit", "ss", [name, "replace"], name).catch((error: unknown) => {
          if (!(error instanceof DbusError) || error.dbusName !== `${service}.NoSuchUnit`) throw error;
        }),
      );
    },

    async setProperties(name, properties) {
      const untilReboot = true;
      const body = [name, untilReboot, properties.map(asVariant)];
      await named(name, "change", async () => {
        const systemd = await connection();
        await systemd.call({ ...manager, member: "SetUnitProperties", signature: "sba(sv)", body });
      });
    },

    close() {
      current?.then(
        (open) => open.close(),
        () => {},
      );
    },
  };
}

function asVariant([name, signature, value]: UnitProperty): DbusValue {
  return [name, { signature, value }];
}

async function connect(): Promise<DbusConnection> {
  const hasBus = await fileExists(systemBus);
  const systemd = await DbusConnection.open(hasBus ? systemBus : privateSocket);
  const match = `type='signal',sender='${service}',interface='${manager.interface}',member='JobRemoved'`;
  if (hasBus) {
    await systemd.call({ ...bus, member: "Hello", signature: "", body: [] });
    await systemd.call({ ...bus, member: "AddMatch", signature: "s", body: [match] });
  }
  await systemd.call({ ...manager, member: "Subscribe", signature: "", body: [] });
  return systemd;
}

/** Results of jobs about one unit. A job may be done before systemd has answered what its name is. */
class JobResults implements Disposable {
  readonly #results = new Map<string, string>();
  readonly #unit: string;
  readonly #stop: () => void;
  #changed = Promise.withResolvers<void>();

  constructor(systemd: DbusConnection, unit: string) {
    this.#unit = unit;
    // A failure is only of interest to who awaits a job.
    this.#changed.promise.catch(() => {});
    this.#stop = systemd.onSignal(
      ({ member, body }) => {
        const [, job, about, result] = body;
        if (member !== "JobRemoved" || about !== unit) return;
        this.#results.set(textOf(job), textOf(result));
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
        this.#changed.promise.catch(() => {});
      },
      (why) =>
        this.#changed.reject(
          new DomainError("unavailable", `systemd was lost while it worked on ${unit}: ${why.message}`),
        ),
    );
  }

  /** `done`, `failed`, `canceled`, `timeout`, `dependency` or `skipped`. */
  async of(job: string): Promise<string> {
    const timer = setTimeout(() => {
      this.#changed.reject(
        new DomainError("deadline-exceeded", `systemd did not finish with ${this.#unit} in ${jobTimeoutMs / 1000} s`),
      );
    }, jobTimeoutMs);
    try {
      for (;;) {
        const result = this.#results.get(job);
        if (result !== undefined) return result;
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

async function named(unit: string, verb: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const exists = error instanceof DbusError && error.dbusName === `${service}.UnitExists`;
    throw new DomainError(
      exists ? "already-exists" : "internal",
      `systemd did not ${verb} ${unit}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
