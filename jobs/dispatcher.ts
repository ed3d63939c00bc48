/**
 * Collects each target when it is due, some at a time. Two lanes: who takes longer than most leaves the quick lane, and
 * who failed last time never enters it, so that targets that hang cannot take the places of those that answer, not even
 * when all of them hang for the first time at once. Work that is late is ended, not left to itself.
 */
import { PgLuthierError } from '../src/domain/index.ts';
import type { Claim, Services } from '../src/pipeline/index.ts';
import { nextSlot, retrySlot } from './slots.ts';

export interface DispatcherOptions {
  /** Names this process among replicas. */
  owner: string;
  intervalMs: number;
  /** Targets worked on at once in the quick lane; the slow lane holds twice as many, suspects half of it. */
  quick: number;
  /** Who takes longer leaves the quick lane. */
  patienceMs: number;
  /** Who takes longer is ended. */
  deadlineMs: number;
}

/** A lease outlives the deadline by this: the outcome must still be written. */
const LEASE_RESERVE_MS = 30_000;

interface Run {
  target_id: string;
  lane: 'quick' | 'slow';
  stop: AbortController;
  done: Promise<void>;
}

export class Dispatcher {
  readonly #services: Services;
  readonly #options: DispatcherOptions;
  readonly #work: (targetId: string, signal: AbortSignal) => Promise<unknown>;
  readonly #runs = new Set<Run>();
  #stopped = false;
  #ticking: Promise<void> | null = null;
  #again = false;
  /** Claims so far: each has an owner of its own, so that work which is late cannot give back a later lease. */
  #claims = 0;

  constructor(
    services: Services,
    options: DispatcherOptions,
    work: (targetId: string, signal: AbortSignal) => Promise<unknown>,
  ) {
    this.#services = services;
    this.#options = options;
    this.#work = work;
  }

  /** Targets that are worked on in a lane right now. */
  running(lane: 'quick' | 'slow'): number {
    return [...this.#runs].filter((run) => run.lane === lane).length;
  }

  /** Starts what is due, as far as there is room; returns when it is started. */
  tick(): Promise<void> {
    this.#again = true;
    this.#ticking ??= this.#dispatch().finally(() => {
      this.#ticking = null;
    });
    return this.#ticking;
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#ticking || this.#runs.size > 0) {
      await this.#ticking;
      await Promise.all([...this.#runs].map((run) => run.done));
    }
  }

  /** Ends what runs and starts nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#abortAll();
    await this.idle();
  }

  #abortAll(): void {
    for (const run of this.#runs) run.stop.abort();
  }

  async #dispatch(): Promise<void> {
    const { logger, store } = this.#services;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const now = this.#services.now();
      const slow = 2 * this.#options.quick - this.running('slow');
      const room = {
        healthy: this.#options.quick - this.running('quick'),
        suspects: Math.max(0, slow - this.#options.quick),
      };
      if (room.healthy + room.suspects === 0) return;
      try {
        this.#claims += 1;
        const owner = `${this.#options.owner}#${this.#claims}`;
        const claims = await store.targetSchedule.claim({
          ...room,
          owner,
          now,
          lease_until: new Date(now.getTime() + this.#options.deadlineMs + LEASE_RESERVE_MS),
        });
        for (const claim of claims) this.#start(claim, owner);
        // A stop that came while the store was asked found nothing of these to end.
        if (this.#stopped) this.#abortAll();
      } catch (error) {
        logger.error({ err: error }, 'the store did not say what is due');
        return;
      }
    }
  }

  #start({ target_id, suspect, consecutive_failures }: Claim, owner: string): void {
    const stop = new AbortController();
    const run: Run = { target_id, lane: suspect ? 'slow' : 'quick', stop, done: Promise.resolve() };
    const patience = setTimeout(() => this.#leaveQuickLane(run), this.#options.patienceMs);
    const deadline = setTimeout(() => stop.abort(), this.#options.deadlineMs);
    this.#runs.add(run);
    run.done = this.#collect(run, owner, consecutive_failures).finally(() => {
      clearTimeout(patience);
      clearTimeout(deadline);
      this.#runs.delete(run);
      // There is room again, and perhaps somebody waits for it.
      void this.tick();
    });
  }

  /** Where the slow lane is full too, the one that is late makes room. */
  #leaveQuickLane(run: Run): void {
    if (run.lane === 'slow') return;
    if (this.running('slow') >= 2 * this.#options.quick) run.stop.abort();
    else run.lane = 'slow';
    void this.tick();
  }

  async #collect(run: Run, owner: string, failures: number): Promise<void> {
    const { logger, store } = this.#services;
    const { intervalMs } = this.#options;
    const { target_id } = run;
    let code: string | null = null;
    try {
      await this.#work(target_id, run.stop.signal);
    } catch (error) {
      code = error instanceof PgLuthierError ? error.code : 'internal_error';
      const level = error instanceof PgLuthierError ? 'warn' : 'error';
      logger[this.#stopped ? 'info' : level]({ err: error, target_id }, 'collecting failed');
    }
    const now = this.#services.now();
    // A stop of ours says nothing about the target: the next process is to collect it at once.
    const unfinished = this.#stopped && code !== null;
    const ended = unfinished
      ? { next_due_at: now }
      : {
          next_due_at:
            code === null
              ? nextSlot(target_id, now, intervalMs)
              : retrySlot(target_id, now, intervalMs, failures + 1),
          error_code: code,
        };
    await store.targetSchedule
      .giveBack({ target_id, owner, now, ...ended })
      .catch((error: unknown) => logger.error({ err: error, target_id }, 'the lease ends by itself'));
  }
}
