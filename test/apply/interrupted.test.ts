/** Builds that are cut off in the middle: nothing of ours stays behind, nothing of others is touched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { Journal } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { compiled } from '../support/compiled.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  client,
  createIndexChange,
  indexState,
  newApplyId,
  QUALIFIED,
  rows,
  snapshotHolder,
  until,
  waitingBuild,
} from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeEach(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterEach(() => drop());

const change = createIndexChange();

async function recover(journal: Journal, applyId: string) {
  return recoverApply({
    plan: buildPlan(change),
    apply_id: applyId,
    onProgress: () => {},
    dsn,
    openSession: openTarget,
    journal,
  });
}

describe('a build that waits for an old snapshot', () => {
  it('gives up after its lock budget and drops what it left', async () => {
    const holder = await snapshotHolder(dsn);
    const { outcome, journal } = await apply(dsn, change, { lockBudgetMs: 500 });
    await holder.release();
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'lock_timeout' });
    expect(await indexState(dsn)).toBe('absent');
    expect(await journal.entries()).toMatchObject([
      { purpose: 'statement', state: 'failed', sqlstate: '55P03' },
      { purpose: 'statement', state: 'done', sql: expect.stringContaining('index_relid = ') },
      { purpose: 'cleanup', state: 'cleaned_up', sql: 'DROP INDEX CONCURRENTLY "Shöp"."Größe Idx"' },
    ]);
  });

  it('names whom it waits for, is cancelled by the signal, and drops what it left', async () => {
    const holder = await snapshotHolder(dsn);
    const abort = new AbortController();
    const running = apply(dsn, change, { signal: abort.signal });
    await waitingBuild(dsn);
    expect(await indexState(dsn)).toBe('invalid');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    abort.abort();
    const { outcome, progress } = await running;
    await holder.release();
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'cancelled' });
    expect(await indexState(dsn)).toBe('absent');
    expect(progress.flatMap((item) => item.blockers)).toContainEqual(
      expect.objectContaining({ pid: holder.pid, application_name: 'shop backend' }),
    );
    expect(progress.map((item) => item.phase)).toContain('waiting for old snapshots');
  });

  it('is looked into when its backend is terminated', async () => {
    const holder = await snapshotHolder(dsn);
    const journal = newJournal();
    const applyId = newApplyId();
    const running = apply(dsn, change, { journal, apply_id: applyId });
    const pid = await waitingBuild(dsn);
    await rows(dsn, 'SELECT pg_terminate_backend($1)', [pid]);
    const { outcome } = await running;
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
    expect(await indexState(dsn)).toBe('absent');
    expect((await journal.entries())[0]).toMatchObject({ state: 'unknown', backend_pid: pid });
    expect(await recover(journal, applyId)).toMatchObject({
      outcome: 'failed',
      code: 'interrupted_before_effect',
    });
    await holder.release();
  });
});

describe('a client that is killed', () => {
  it('leaves the build running: recovery waits for its lock and then finds it done', async () => {
    const holder = await snapshotHolder(dsn);
    const journal = newJournal();
    const applyId = newApplyId();
    const script = await compiled('test/apply/crash-process');
    const child = spawn(
      process.execPath,
      [script, dsn, applyId, journal.path, JSON.stringify(buildPlan(change))],
      { stdio: 'ignore' },
    );
    await waitingBuild(dsn);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await recover(journal, applyId)).toBeNull();
    await holder.release();
    const outcome = await until(() => recover(journal, applyId));
    expect(outcome).toMatchObject({ outcome: 'applied', facts: { recovered: true } });
    expect(await indexState(dsn)).toBe('valid');
    expect(await journal.entries()).toMatchObject([
      { purpose: 'statement', state: 'done' },
      { purpose: 'statement', state: 'done', sql: expect.stringContaining('index_relid = ') },
    ]);
  });

  it('whose server ends it with the client: recovery drops what was left', async () => {
    const holder = await snapshotHolder(dsn);
    const journal = newJournal();
    const applyId = newApplyId();
    await rows(
      dsn,
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET client_connection_check_interval = 200', current_database()); END $$`,
    );
    const script = await compiled('test/apply/crash-process');
    const child = spawn(
      process.execPath,
      [script, dsn, applyId, journal.path, JSON.stringify(buildPlan(change))],
      { stdio: 'ignore' },
    );
    await waitingBuild(dsn);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const outcome = await until(() => recover(journal, applyId));
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
    expect(await indexState(dsn)).toBe('absent');
    expect(await journal.entries()).toMatchObject([
      { purpose: 'statement', state: 'failed' },
      { purpose: 'statement', state: 'done', sql: expect.stringContaining('index_relid = ') },
      { purpose: 'cleanup', state: 'cleaned_up' },
    ]);
    await holder.release();
  });
});

describe("somebody else's invalid index", () => {
  async function foreignLeftover(definition: string) {
    const holder = await snapshotHolder(dsn);
    const other = await client(dsn);
    await other.query("SET lock_timeout = '300ms'");
    await expect(other.query(definition)).rejects.toMatchObject({ code: '55P03' });
    await other.end();
    await holder.release();
    expect(await indexState(dsn)).toBe('invalid');
  }

  it('of the same name stops the apply and stays', async () => {
    await foreignLeftover(`CREATE INDEX CONCURRENTLY "Größe Idx" ON ${QUALIFIED} ("Größe")`);
    const { outcome, journal } = await apply(dsn, change);
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'name_taken' });
    expect(await journal.entries()).toEqual([]);
    expect(await indexState(dsn)).toBe('invalid');
  });

  it('stays when the journal shows that our build was refused for its name', async () => {
    await foreignLeftover(`CREATE INDEX CONCURRENTLY "Größe Idx" ON ${QUALIFIED} ("Größe")`);
    const journal = newJournal();
    const step = await journal.intend({
      purpose: 'statement',
      sql: buildPlan(change).statements[0] ?? '',
      backend_pid: 1,
      backend_start: null,
    });
    await journal.settle(step, { state: 'failed', sqlstate: '42P07', message: null });
    expect(await recover(journal, newApplyId())).toMatchObject({ outcome: 'failed', code: 'name_taken' });
    expect(await indexState(dsn)).toBe('invalid');
  });

  it('of another definition stays, and a person is asked', async () => {
    await foreignLeftover(`CREATE INDEX CONCURRENTLY "Größe Idx" ON ${QUALIFIED} (status)`);
    const journal = newJournal();
    await journal.intend({
      purpose: 'statement',
      sql: buildPlan(change).statements[0] ?? '',
      backend_pid: 1,
      backend_start: null,
    });
    expect(await recover(journal, newApplyId())).toMatchObject({
      outcome: 'needs_attention',
      code: 'foreign_leftover',
    });
    expect(await indexState(dsn)).toBe('invalid');
  });
});

it('an apply that never sent a statement has no effect', async () => {
  expect(await recover(newJournal(), newApplyId())).toMatchObject({
    outcome: 'failed',
    code: 'interrupted_before_effect',
  });
});

it('a signal that came before the first statement sends none', async () => {
  const { outcome, journal } = await apply(dsn, change, { signal: AbortSignal.abort() });
  expect(outcome).toMatchObject({ outcome: 'failed', code: 'cancelled' });
  expect(await journal.entries()).toEqual([]);
});
