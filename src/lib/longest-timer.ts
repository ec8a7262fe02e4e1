/** Timers of Node end at once beyond this, 24 days. */
export const longestTimerMs = 2 ** 31 - 1;
