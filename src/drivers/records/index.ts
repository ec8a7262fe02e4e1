/** A record that could not be read and was set aside, for the log. */
export interface CorruptRecord {
  id: string;
  /** Where it is now. */
  setAsideAt: string;
  reason: string;
}

/**
 * One small JSON file per entity. Each is replaced in one step, so that it is whole at any moment the daemon may die; it is not
 * synced, since pods have to survive the daemon, not the machine. Writes of one id are done in the order they were asked for.
 */
export interface Records<T> {
  /** Everything on disk. A record that cannot be read, or that is of another version, is set aside and hides no other. */
  load(): Promise<{ records: T[]; corrupt: CorruptRecord[] }>;
  put(id: string, record: T): Promise<void>;
  /** Idempotent. */
  remove(id: string): Promise<void>;
}
