import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Snapshot, StatementRow, Window } from '../../src/domain/index.ts';
import { composeWindows, diffSnapshots } from '../../src/workload/index.ts';
import { snapshot, statementRow } from './snapshots.ts';

/** A model of pg_stat_statements with everything that can happen to it, and the truth beside it. */
type Event =
  | { kind: 'call'; id: number; time: number }
  | { kind: 'evict'; id: number }
  | { kind: 'reset_one'; id: number }
  | { kind: 'reset_all' }
  | { kind: 'restart' }
  | { kind: 'snapshot' };

interface Entry {
  times: number[];
  since: number;
}

class Model {
  readonly snapshots: Snapshot[] = [];
  /** Calls of each statement after the first snapshot and until the last one. */
  readonly truth = new Map<number, number[]>();
  private readonly entries = new Map<number, Entry>();
  private readonly dated: boolean;
  private now = 0;
  private dealloc = 0;
  private reset = -1000;
  private started = -2000;
  private pending = new Map<number, number[]>();

  constructor(dated: boolean) {
    this.dated = dated;
  }

  private at(second: number): string {
    return new Date(Date.UTC(2025, 0, 1) + second * 1000).toISOString();
  }

  apply(event: Event): void {
    this.now += 60;
    switch (event.kind) {
      case 'call': {
        const entry = this.entries.get(event.id) ?? { times: [], since: this.now };
        entry.times.push(event.time);
        this.entries.set(event.id, entry);
        const calls = this.pending.get(event.id) ?? [];
        this.pending.set(event.id, [...calls, event.time]);
        return;
      }
      case 'evict':
        if (this.entries.delete(event.id)) this.dealloc++;
        return;
      case 'reset_one':
        this.entries.delete(event.id);
        return;
      case 'reset_all':
        this.entries.clear();
        this.reset = this.now;
        this.dealloc = 0;
        return;
      case 'restart':
        this.started = this.now;
        return;
      case 'snapshot':
        if (this.snapshots.length > 0) {
          for (const [id, times] of this.pending)
            this.truth.set(id, [...(this.truth.get(id) ?? []), ...times]);
        }
        this.pending = new Map();
        this.snapshots.push(this.read());
    }
  }

  private read(): Snapshot {
    const rows = [...this.entries].map(([id, { times, since }]): StatementRow => {
      const total = times.reduce((sum, each) => sum + each, 0);
      const mean = total / times.length;
      const variance = times.reduce((sum, each) => sum + (each - mean) ** 2, 0) / times.length;
      return statementRow({
        queryid: String(id),
        calls: times.length,
        rows: times.length,
        total_exec_time_ms: total,
        mean_exec_time_ms: mean,
        stddev_exec_time_ms: Math.sqrt(variance),
        min_exec_time_ms: Math.min(...times),
        max_exec_time_ms: Math.max(...times),
        stats_since: this.dated ? this.at(since) : null,
      });
    });
    const base = snapshot();
    return snapshot({
      taken_at: this.at(this.now),
      server: { ...base.server, started_at: this.at(this.started) },
      statements: rows,
      statements_info: { dealloc: this.dealloc, stats_reset: this.at(this.reset) },
    });
  }
}

const id = fc.integer({ min: 1, max: 4 });
const call = fc.record({
  kind: fc.constant('call' as const),
  id,
  time: fc.double({ min: 0.01, max: 100, noNaN: true }),
});
const quiet = fc.oneof(
  { weight: 8, arbitrary: call },
  { weight: 2, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);
const events = fc.oneof(
  { weight: 6, arbitrary: quiet },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('evict' as const, 'reset_one' as const), id }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reset_all' as const }) },
);

function play(history: readonly Event[], dated: boolean): Model {
  const model = new Model(dated);
  model.apply({ kind: 'snapshot' });
  for (const event of history) model.apply(event);
  model.apply({ kind: 'snapshot' });
  return model;
}

function compose(snapshots: readonly Snapshot[]): Window {
  return composeWindows(
    snapshots.slice(1).map((to, index) => diffSnapshots(snapshots[index] as Snapshot, to)),
  );
}

const callsOf = (window: Window, statement: number) =>
  window.statements.find((row) => row.queryid === String(statement))?.calls ?? 0;
const ends = (model: Model) =>
  diffSnapshots(model.snapshots[0] as Snapshot, model.snapshots.at(-1) as Snapshot);

describe.each([
  ['with stats_since (17+)', true],
  ['without (14 to 16)', false],
])('any history of pg_stat_statements, %s', (_, dated) => {
  test('no window counts a call that was not, whatever was evicted, reset or restarted', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (history) => {
        const model = play(history, dated);
        for (const window of [ends(model), compose(model.snapshots)]) {
          for (const row of window.statements) {
            const truth = model.truth.get(Number(row.queryid)) ?? [];
            const total = truth.reduce((sum, each) => sum + each, 0);
            expect(row.calls).toBeLessThanOrEqual(truth.length);
            expect(row.total_exec_time_ms).toBeLessThanOrEqual(total + 1e-6);
            expect(row.mean_exec_time_ms).toBeGreaterThanOrEqual(Math.min(...truth) - 1e-6);
            expect(row.mean_exec_time_ms).toBeLessThanOrEqual(Math.max(...truth) + 1e-6);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test('a finer cut never counts less; with neither reset nor eviction every cut counts the truth', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (history) => {
        const model = play(history, dated);
        const disturbed = history.some((event) => !['call', 'snapshot', 'restart'].includes(event.kind));
        const [whole, parts] = [ends(model), compose(model.snapshots)];
        for (const [statement, truth] of model.truth) {
          expect(callsOf(parts, statement)).toBeGreaterThanOrEqual(callsOf(whole, statement));
          if (!disturbed) {
            expect(callsOf(whole, statement)).toBe(truth.length);
            expect(callsOf(parts, statement)).toBe(truth.length);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test('what was lost is said: calls are missing only where a limit stands', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 60 }), (history) => {
        const model = play(history, dated);
        // A statement that was removed by itself, made anew and overtaken its old counters cannot be seen before 17.
        if (!dated && history.some((event) => event.kind === 'reset_one' || event.kind === 'evict')) return;
        const window = compose(model.snapshots);
        const short = [...model.truth].some(
          ([statement, truth]) => callsOf(window, statement) < truth.length,
        );
        const said = window.limits.filter((limit) => limit.code.startsWith('statements_'));
        // A statement that came and went between two snapshots leaves nothing but the count of evictions.
        if (short && !history.some((event) => event.kind === 'reset_one'))
          expect(said.length).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});
