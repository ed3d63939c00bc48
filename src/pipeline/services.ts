/** What the use-cases work with; made once by the composition root and handed to every one of them. */
import type { Logger } from 'pino';
import type { Rule } from '../domain/index.ts';
import type { Store } from '../store/index.ts';
import type { TwinOptions } from './what-if.ts';

export interface Services {
  store: Store;
  logger: Logger;
  rules: Rule[];
  /** The clock, so that schedules and tests can hold it. */
  now: () => Date;
  /** Value of an environment variable that a DSN reference names; undefined: not set. */
  environmentVariable: (name: string) => string | undefined;
  /** Whether full snapshots read least and greatest values of columns; absent: they do. */
  column_ends?: boolean;
  /** Bytes of suspected indexes that an analysis may read of a target to measure their bloat; absent or 0: none. */
  measure_bloat_bytes?: number;
  /** What twins may run on. */
  twin: TwinOptions;
  /** Work that goes on after its request was answered; awaited at shutdown. */
  background: BackgroundWork;
}

/** Keeps track of promises nobody awaits, so that a stop waits for them and no failure goes unseen. */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  /** Aborted when the service stops: long work ends at its next safe point. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Starts `work`; it must record its own failure: what still escapes goes to `onEscape`. */
  start(work: () => Promise<void>, onEscape: (error: unknown) => void): void {
    const promise = work()
      .catch(onEscape)
      .finally(() => this.#running.delete(promise));
    this.#running.add(promise);
  }

  /** Waits for all that runs now, and for what that starts. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Tells running work to stop, and waits for nothing: streams that follow it end, too. */
  tell(): void {
    this.#stopping.abort();
  }

  /** Tells running work to stop and waits for it. */
  async stop(): Promise<void> {
    this.tell();
    await this.idle();
  }
}
