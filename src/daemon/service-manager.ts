import { messageOf } from "#errors/domain-error.ts";
import { notifyServiceManager } from "#kernel/sd-notify.ts";
import type { Logger } from "#observability/logger.ts";

/** Whoever started the daemon and wants to know how it does: systemd for a unit of Type=notify, nobody otherwise. */
export interface ServiceManager {
  ready(): void;
  /** Says that the daemon ends, and is silent from then on. */
  stopping(): void;
}

/**
 * Speaks to the service manager that the environment names. `isHealthy` is asked twice in each watchdog interval; a daemon that does not
 * answer itself is not reported alive, and so is restarted (WatchdogSec= of the unit).
 */
export function serviceManager(
  environment: NodeJS.ProcessEnv,
  isHealthy: () => Promise<boolean>,
  logger: Logger,
  notify: (socketPath: string, state: string) => void = notifyServiceManager,
): ServiceManager {
  const socketPath = environment["NOTIFY_SOCKET"] ?? "";
  if (socketPath === "") return { ready() {}, stopping() {} };
  const intervalMs = watchdogIntervalMs(environment);
  let watchdog: NodeJS.Timeout | undefined;

  const tell = (state: string): void => {
    try {
      notify(socketPath, state);
    } catch (error) {
      logger.warn("the service manager cannot be told", { state, error: messageOf(error) });
    }
  };
  return {
    ready() {
      tell("READY=1");
      if (intervalMs === undefined) return;
      watchdog = setInterval(() => {
        isHealthy().then(
          (healthy) => {
            if (healthy) tell("WATCHDOG=1");
          },
          (error: unknown) => logger.error("the daemon does not answer itself", { error: messageOf(error) }),
        );
      }, intervalMs / 2);
      watchdog.unref();
    },
    stopping() {
      clearInterval(watchdog);
      tell("STOPPING=1");
    },
  };
}

/** Undefined when no watchdog is set, or when it is another process's. */
function watchdogIntervalMs(environment: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(environment["WATCHDOG_USEC"] ?? 0);
  const pid = Number(environment["WATCHDOG_PID"] ?? process.pid);
  return microseconds > 0 && pid === process.pid ? microseconds / 1000 : undefined;
}
