/** One upgraded connection and what runs on it. */
export interface StreamingSession {
  /** Settles when the backend is done with it and the connection is closed. Never rejects. */
  readonly ended: Promise<unknown>;
  /** Ends it at once: aborts the backend's signal with `reason` and closes the connection. */
  close(reason: Error): void;
}
