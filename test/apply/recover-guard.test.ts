/** What recovery sends obeys the same lock budgets, watchdog and stops as an apply. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { RecoverOptions } from '../../src/apply/recover.ts';
import { ApplyStopped } from '../../src/apply/stopped.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import {
  applyDatabase,
  client,
  createIndexChange,
  indexState,
  newApplyId,
  QUALIFIED,
  rows,
  seen,
  snapshotHolder,
  until,
} from './target.ts';

const plan = buildPlan(createIndexChange());
const [build = ''] = plan.statements;

let dsn: string;
let drop: () => Promise<void>;
let journal: ReturnType<typeof newJournal>;
let phases: string[];
const applyId = newApplyId();
beforeEach(async () => {
  ({ dsn, drop } = await applyDatabase());
  phases = [];
  // A build of this apply was cut off.
  const holder = await snapshotHolder(dsn);
  const cut = await client(dsn);
  await cut.query("SET lock_timeout = '200ms'");
  await cut.query(build).catch(() => {});
  await cut.end();
  await holder.release();
  expect(await indexState(dsn)).toBe('invalid');
  journal = newJournal();
  await journal.intend({ purpose: 'statement', sql: build, backend_pid: 1, backend_start: null });
  await seen(dsn, journal, '"Shöp"."Größe Idx"');
});
afterEach(() => drop());

const recover = (options: Partial<RecoverOptions> = {}) =>
  recoverApply({
    plan,
    apply_id: applyId,
    dsn,
    openSession: openTarget,
    journal,
    onProgress: ({ phase }) => phases.push(phase),
    ...options,
  });

/** A writer that the clean-up waits for; `queue` adds somebody who waits for the clean-up. */
async function writer() {
  const holder = await client(dsn);
  await holder.query('BEGIN');
  await holder.query(`UPDATE ${QUALIFIED} SET n = n WHERE id = 1`);
  return holder;
}

const cleaning = () =>
  until(async () => {
    const found = await rows(
      dsn,
      `SELECT FROM pg_stat_activity WHERE query LIKE 'DROP INDEX%' AND wait_event_type = 'Lock'
         AND datname = current_database()`,
    );
    return found.length === 1;
  });

it('sends nothing while it is held, says why, and ends it afterwards', async () => {
  expect(await recover({ heldBy: () => Promise.resolve('All applying was stopped by a dba.') })).toBeNull();
  expect(phases.at(-1)).toBe('what it left waits: All applying was stopped by a dba.');
  expect(await journal.entries()).toMatchObject([{ state: 'intended' }, { state: 'done' }]);
  expect(await indexState(dsn)).toBe('invalid');
  expect(await recover()).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
  expect(await indexState(dsn)).toBe('absent');
});

it('is cancelled in its clean-up by a stop, and stays open', async () => {
  const holder = await writer();
  const hold = new AbortController();
  const recovering = recover({ hold: hold.signal });
  await cleaning();
  hold.abort(new ApplyStopped('cancelled', 'a dba stopped all applying: load'));
  expect(await recovering).toBeNull();
  expect(phases.at(-1)).toContain('a dba stopped all applying: load');
  expect(await journal.entries()).toMatchObject([
    { state: 'intended' },
    { state: 'done' },
    { purpose: 'cleanup', state: 'failed', sqlstate: '57014' },
  ]);
  await holder.end();
  expect(await recover()).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
  expect(await indexState(dsn)).toBe('absent');
});

it('gives way where a migration waits for its clean-up, and names what is left', async () => {
  const holder = await writer();
  const recovering = recover({ yieldAfterMs: 300 });
  await cleaning();
  const migration = await client(dsn);
  const altered = migration.query(`ALTER TABLE ${QUALIFIED} ADD COLUMN more int`);
  const outcome = await recovering;
  expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'leftover_not_removed' });
  expect(JSON.stringify(outcome)).toContain('It gave way');
  await holder.end();
  await altered;
  await migration.end();
});
