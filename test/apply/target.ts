/** A database to change, with names that need care, and sessions that get in the way. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { sightOf } from '../../src/apply/build-witness.ts';
import { buildPlan, executePlan, preflight } from '../../src/apply/index.ts';
import type {
  ApplyOutcome,
  ApplyPlan,
  ApplyProgress,
  Change,
  IndexDefinition,
  IndexKey,
  Journal,
} from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
import { newJournal } from './journal.ts';

export const TARGET_SCHEMA = `
  CREATE SCHEMA "Shöp";
  CREATE TABLE "Shöp"."Order Items" (id int PRIMARY KEY, "Größe" text, status text, n int);
  INSERT INTO "Shöp"."Order Items"
    SELECT i, 'g' || i % 50, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'done' END, i FROM generate_series(1, 3000) i;
  CREATE TABLE other (id int);
  CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
`;

export const TABLE = { schema: 'Shöp', table: 'Order Items' };
export const QUALIFIED = '"Shöp"."Order Items"';

/** The server is this room's own: settings are changed on it. */
export function applyServer(major?: number) {
  return testServer({
    ...(major === undefined ? {} : { major }),
    settings: { max_prepared_transactions: '5', cluster_name: 'apply' },
  });
}

export async function applyDatabase(major?: number) {
  return (await applyServer(major)).createDatabase({ sql: TARGET_SCHEMA });
}

export async function client(dsn: string): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString: dsn, application_name: 'shop backend' });
  // Tests end sessions on the server; that is no error here.
  connected.on('error', () => {});
  await connected.connect();
  return connected;
}

export async function rows<T extends object>(dsn: string, sql: string, values: unknown[] = []): Promise<T[]> {
  const connected = await client(dsn);
  try {
    return (await connected.query<T>(sql, values)).rows;
  } finally {
    await connected.end();
  }
}

/** A session with an old snapshot: a concurrent build waits for it at its end. */
export async function snapshotHolder(dsn: string): Promise<{ pid: number; release(): Promise<void> }> {
  const holder = await client(dsn);
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const { rows: found } = await holder.query<{ pid: number }>(
    'SELECT pg_backend_pid() AS pid, (SELECT count(*) FROM other)',
  );
  return { pid: found[0]?.pid ?? 0, release: () => holder.end() };
}

export function column(name: string): IndexKey {
  return { column: name, expression: null, opclass: null, collation: null, direction: 'asc', nulls: null };
}

export function createIndexChange(index: Partial<IndexDefinition> = {}): Change {
  return {
    kind: 'index.create',
    index: {
      ...TABLE,
      name: 'Größe Idx',
      method: 'btree',
      unique: false,
      keys: [column('Größe')],
      include: [],
      where: null,
      options: {},
      ...index,
    },
  };
}

export interface Ran {
  outcome: ApplyOutcome;
  journal: Journal;
  progress: ApplyProgress[];
  plan: ApplyPlan;
}

let applies = 0;
export function newApplyId(): string {
  applies += 1;
  return `app_${process.pid}_${applies}`;
}

export async function apply(
  dsn: string,
  change: Change,
  options: { signal?: AbortSignal; lockBudgetMs?: number; apply_id?: string; journal?: Journal } = {},
): Promise<Ran> {
  const plan = buildPlan(change);
  const journal = options.journal ?? newJournal();
  const progress: ApplyProgress[] = [];
  const outcome = await executePlan(plan, {
    dsn,
    apply_id: newApplyId(),
    openSession: openTarget,
    onProgress: (item) => progress.push(item),
    ...options,
    journal,
  });
  if (outcome === null) throw new Error('the apply was left open');
  return { outcome, journal, progress, plan };
}

export async function check(dsn: string, change: Change) {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:preflight', readOnly: true });
  try {
    return await preflight(session, buildPlan(change));
  } finally {
    await session.close();
  }
}

export async function driftCodes(dsn: string, change: Change): Promise<string[]> {
  return (await check(dsn, change)).drift.map((item) => item.code);
}

/** Polls until `condition` gives something. */
export async function until<T>(condition: () => Promise<T | null | undefined | false>): Promise<T> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await condition();
    if (found) return found;
    await sleep(100);
  }
  throw new Error('it never came to be');
}

/** pid of the session that builds an index now and has come to wait for others. */
export function waitingBuild(dsn: string): Promise<number> {
  return until(async () => {
    const [row] = await rows<{ pid: number }>(
      dsn,
      `SELECT pid FROM pg_stat_progress_create_index
       WHERE datname = current_database() AND phase = 'waiting for old snapshots'`,
    );
    return row?.pid;
  });
}

export async function indexState(dsn: string, name = 'Größe Idx'): Promise<'absent' | 'valid' | 'invalid'> {
  const [row] = await rows<{ valid: boolean }>(
    dsn,
    'SELECT indisvalid AS valid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = $1',
    [name],
  );
  if (!row) return 'absent';
  return row.valid ? 'valid' : 'invalid';
}

/** Has the journal say that its build made this index, as the build's witness does. */
export async function seen(dsn: string, journal: Journal, qualified: string): Promise<void> {
  const [row] = await rows<{ system: string; oid: number }>(
    dsn,
    'SELECT system_identifier::text AS system, $1::regclass::oid::int4 AS oid FROM pg_control_system()',
    [qualified],
  );
  if (!row) throw new Error('no row');
  const sql = sightOf(row.system, row.oid);
  const step = await journal.intend({ purpose: 'statement', sql, backend_pid: 1, backend_start: null });
  await journal.settle(step, { state: 'done', sqlstate: null, message: 'our build makes this index' });
}
