/** One line of a cgroup's pressure file (Documentation/accounting/psi.rst of the kernel). */
export interface PressureLine {
  /** Microseconds since the group was made, as the kernel counts. */
  totalUs: number;
  /** Shares of time in percent, over 10, 60 and 300 seconds. */
  avg10: number;
  avg60: number;
  avg300: number;
}

/** Pressure stall information: "some" tasks waited, or all of them ("full") did. */
export interface Pressure {
  some: PressureLine;
  full: PressureLine;
}
