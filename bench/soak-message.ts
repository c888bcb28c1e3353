/** What the process under load says once a second. */
export interface SoakSample {
  readonly rssBytes: number;
  /** Of the bulk stream, in this second. */
  readonly megabits: number;
  /** Connections opened and closed since the start. */
  readonly connections: number;
}
