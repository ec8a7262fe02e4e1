/** A record that could not be read and was set aside, for the log. */
export interface CorruptRecord {
  id: string;
  /** Where it is now. */
  setAsideAt: string;
  reason: string;
}

/**
 * A small JSON document per entity. Whenever the daemon dies, each is there as `put` has last left it; it is not synced, since pods have
 * to survive the daemon, not the machine. Writes are done in the order they were asked for.
 */
export interface Records<T> {
  /**
   * Everything on disk, once and before all else. A record that cannot be read, or that is of another version, is set aside and hides no
   * other.
   */
  load(): Promise<{ records: T[]; corrupt: CorruptRecord[] }>;
  put(id: string, record: T): Promise<void>;
  /** Idempotent. */
  remove(id: string): Promise<void>;
  close(): Promise<void>;
}
