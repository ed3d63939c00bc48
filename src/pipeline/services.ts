/** What the use-cases work with; made once by the composition root and handed to every one of them. */
import { setTimeout as sleep } from 'node:timers/promises';
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

/** How long work whose connections were given up may take to say so, ms. */
const UNWIND_MS = 1_000;

/** Keeps track of promises nobody awaits, so that a stop waits for them and no failure goes unseen. */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #cutOff = new AbortController();
  #toldAt: number | null = null;

  /** Aborted when the service stops: long work ends at its next safe point. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted where that took too long: connections to targets are given up, and recovery looks into what was left. */
  get cutOff(): AbortSignal {
    return this.#cutOff.signal;
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
    this.#toldAt ??= performance.now();
    this.#stopping.abort();
  }

  /**
   * Tells running work to stop and waits for it.
   * @param withinMs since it was told; then it is cut off. Absent: as long as it takes.
   * @returns how much of it has not ended. Each of its statements is in a journal first, which takes no more once the
   * store is closed: whatever it still does on a target, a next start finds.
   */
  async stop(withinMs?: number): Promise<number> {
    this.tell();
    if (withinMs === undefined) {
      await this.idle();
      return 0;
    }
    const told = this.#toldAt ?? performance.now();
    if (await this.#idleWithin(Math.max(0, told + withinMs - performance.now()))) return 0;
    this.#cutOff.abort();
    await this.#idleWithin(UNWIND_MS);
    return this.#running.size;
  }

  async #idleWithin(ms: number): Promise<boolean> {
    const over = new AbortController();
    const late = sleep(ms, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([this.idle(), late]);
    over.abort();
    return this.#running.size === 0;
  }
}
