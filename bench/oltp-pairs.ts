/**
 * A database and a copy of it that has the advised indexes, on one server: the same calls go to both by turns, a few
 * seconds each, so that whatever else the machine does is in both.
 */
import pg from 'pg';
import { quoteIdentifier } from '../src/domain/index.ts';
import type { EmbeddedServer } from '../src/embedded/index.ts';
import {
  type Advice,
  advise,
  type BuiltIndex,
  buildSet,
  indexScans,
  type SeenRun,
  seenRuns,
} from './built/index.ts';
import type { Slice } from './oltp/index.ts';

/** A database with what runs on it. */
export interface Subject {
  name: string;
  server: EmbeddedServer;
  database: string;
  /** A part of the application's calls, the same for each database. */
  work: (dsn: string, slice: Slice) => Promise<unknown>;
  /** Writes by primary key alone, as calls a second of the server's processor; null: none of their own. */
  writes: ((dsn: string, seed: number) => Promise<number>) | null;
}

/** A set of one budget, with everything that was measured of it. */
export interface BuiltSet {
  label: string;
  budget: number | null;
  advice: Advice;
  indexes: (BuiltIndex & { scans: number })[];
  /** The same calls without and with it. */
  before: SeenRun;
  after: SeenRun;
  /** Time by the clock with it, of that without, slot by slot. */
  slots: number[];
  /** Writes that a second of the processor does with it, of those without, pair by pair. */
  writes: number[];
}

export interface PairOptions {
  /** What the advisor sees of the workload. */
  seen: Slice;
  slots: number;
  /** Of how many slots the workload has; fewer are run with each set. */
  of: number;
  writePairs: number;
}

const COPY = 'with_indexes';

async function admin(server: EmbeddedServer, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: server.dsn('postgres') });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Each goes first as often as the other. @returns the second's result of the first's, pair by pair. */
async function byTurns(pairs: number, one: (at: number) => Promise<number>, two: typeof one) {
  const ratios: number[] = [];
  for (let at = 0; at < pairs; at += 1) {
    const early = at % 2 === 0 ? await one(at) : await two(at);
    const late = at % 2 === 0 ? await two(at) : await one(at);
    ratios.push(at % 2 === 0 ? late / early : early / late);
  }
  return ratios;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function builtSet(
  subject: Subject,
  set: Pick<BuiltSet, 'label' | 'budget' | 'advice'>,
  options: PairOptions,
): Promise<BuiltSet> {
  const { server, database, work, writes } = subject;
  const [plain, copy] = [server.dsn(database), server.dsn(COPY)];
  await admin(
    server,
    `CREATE DATABASE ${COPY} TEMPLATE ${quoteIdentifier(database)} STRATEGY file_copy`,
    'CHECKPOINT',
  );
  const client = new pg.Client({ connectionString: copy });
  await client.connect();
  try {
    const built = await buildSet(client, set.advice.result.recommendations);
    await client.query('CHECKPOINT');
    const counted = await indexScans(client);
    let slots: number[] = [];
    const slot = (dsn: string) => (part: number) => secondsOf(() => work(dsn, { part, of: options.of }));
    const [before, after] = await seenRuns([plain, copy], async () => {
      slots = await byTurns(options.slots, slot(plain), slot(copy));
    });
    const scans = await indexScans(client);
    const written = writes
      ? await byTurns(
          options.writePairs,
          (at) => writes(plain, at),
          (at) => writes(copy, at),
        )
      : [];
    return {
      ...set,
      indexes: built.map((index) => ({
        ...index,
        scans: (scans.get(index.name) ?? 0) - (counted.get(index.name) ?? 0),
      })),
      before: before as SeenRun,
      after: after as SeenRun,
      slots,
      writes: written,
    };
  } finally {
    await client.end();
    await admin(server, `DROP DATABASE ${COPY} WITH (FORCE)`);
  }
}

/** Runs the workload once, which is what the advisor sees, and then compares the set of each budget. */
export async function builtSets(
  subject: Subject,
  budgets: readonly { label: string; bytes: number | null }[],
  options: PairOptions,
  show: (set: BuiltSet) => void,
): Promise<BuiltSet[]> {
  const say = (text: string) =>
    console.log(`${new Date().toISOString().slice(11, 19)} ${subject.name}: ${text}`);
  const dsn = subject.server.dsn(subject.database);
  let seconds = 0;
  const [seen] = await seenRuns([dsn], async () => {
    seconds = await secondsOf(() => subject.work(dsn, options.seen));
  });
  if (!seen) throw new Error('nothing was seen');
  say(`${seconds.toFixed(1)} s, ${(seen.workload.database_time_ms / 1000).toFixed(1)} s in the database`);
  const sets: BuiltSet[] = [];
  for (const { label, bytes } of budgets) {
    const advice = await advise(seen, bytes);
    say(
      `${label}: ${advice.result.recommendations.length} recommendations in ${advice.seconds.toFixed(1)} s`,
    );
    const set = await builtSet(subject, { label, budget: bytes, advice }, options);
    say(`${label}: built and compared`);
    show(set);
    sets.push(set);
  }
  return sets;
}
