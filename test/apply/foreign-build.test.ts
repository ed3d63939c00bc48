/** Somebody's own build of the same index, of the same name, on the same table: never taken for ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { Change, Journal } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { compiled } from '../support/compiled.ts';
import { testMajors } from '../support/servers.ts';
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
  TABLE,
  until,
  waitingBuild,
} from './target.ts';

const change = createIndexChange();
const plan = buildPlan(change);
const [statement = ''] = plan.statements;

describe.each(testMajors)("a user's build of the same index, PostgreSQL %i", (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    ({ dsn, drop } = await applyDatabase(major));
  });
  afterEach(() => drop());

  const recover = (journal: Journal, applyId: string) =>
    recoverApply({ plan, apply_id: applyId, onProgress: () => {}, dsn, openSession: openTarget, journal });

  /** pid of the session of this name that queues for the table with its CREATE INDEX. */
  const queued = (name: string) =>
    until(async () => {
      const [row] = await rows<{ pid: number }>(
        dsn,
        `SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l USING (pid)
         WHERE a.application_name = $1 AND a.query LIKE 'CREATE INDEX%' AND NOT l.granted AND l.locktype = 'relation'
           AND a.datname = current_database()`,
        [name],
      );
      return row?.pid;
    });

  it('that ends while ours queues behind it and is killed stays, and a person is asked', async () => {
    const snapshot = await snapshotHolder(dsn);
    const vacuumer = await client(dsn);
    await vacuumer.query('BEGIN');
    await vacuumer.query(`LOCK TABLE ${QUALIFIED} IN SHARE UPDATE EXCLUSIVE MODE`);
    const theirs = await client(dsn);
    const building = theirs.query(statement).catch((error: unknown) => error);
    const pid = await queued('shop backend');
    const journal = newJournal();
    const applyId = newApplyId();
    const script = await compiled('test/apply/crash-process');
    const child = spawn(process.execPath, [script, dsn, applyId, journal.path, JSON.stringify(plan)], {
      stdio: 'ignore',
    });
    const ours = await queued(`pgluthier:apply:${applyId}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await rows(dsn, 'SELECT pg_terminate_backend($1)', [ours]);
    await vacuumer.query('COMMIT');
    expect(await waitingBuild(dsn)).toBe(pid);
    await rows(dsn, 'SELECT pg_cancel_backend($1)', [pid]);
    expect(await building).toMatchObject({ code: '57014' });
    for (const session of [vacuumer, theirs]) await session.end();
    await snapshot.release();

    const outcome = await until(() => recover(journal, applyId));
    expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'unseen_leftover' });
    expect(await indexState(dsn)).toBe('invalid');
    expect(await journal.entries()).toMatchObject([{ sql: statement, state: 'unknown' }]);
  });

  it('that still runs when ours is cancelled in the queue stays', async () => {
    const snapshot = await snapshotHolder(dsn);
    const abort = new AbortController();
    const theirs = await client(dsn);
    // Begun between our last look and the statement.
    const journal = newJournal();
    const { intend } = journal;
    let building: Promise<unknown> = Promise.resolve();
    journal.intend = async (entry) => {
      building = theirs.query(statement);
      await waitingBuild(dsn);
      return intend(entry);
    };
    const running = apply(dsn, change, { journal, signal: abort.signal });
    await until(async () => (await journal.entries()).length > 0);
    await until(async () => {
      const found = await rows(
        dsn,
        `SELECT FROM pg_stat_activity WHERE application_name LIKE 'pgluthier:apply:%' AND query LIKE 'CREATE INDEX%'
           AND wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return found.length > 0;
    });
    abort.abort();
    expect((await running).outcome).toMatchObject({ outcome: 'needs_attention', code: 'unseen_leftover' });
    await snapshot.release();
    await building;
    await theirs.end();
    expect(await indexState(dsn)).toBe('valid');
  });

  it('and what their cut-off rebuild of the index left stays, while ours goes', async () => {
    await rows(dsn, `CREATE INDEX rebuilt ON ${QUALIFIED} (n)`);
    const reindex: Change = {
      kind: 'index.reindex',
      ...TABLE,
      name: 'rebuilt',
      definition: `CREATE INDEX rebuilt ON ${QUALIFIED} USING btree (n)`,
    };
    const journal = newJournal();
    const { intend } = journal;
    journal.intend = async (entry) => {
      if (entry.sql.startsWith('REINDEX')) {
        // After what was there was recorded, and before our statement.
        const snapshot = await snapshotHolder(dsn);
        const theirs = await client(dsn);
        await theirs.query("SET lock_timeout = '200ms'");
        await expect(theirs.query('REINDEX INDEX CONCURRENTLY "Shöp".rebuilt')).rejects.toMatchObject({
          code: '55P03',
        });
        await theirs.end();
        await snapshot.release();
      }
      return intend(entry);
    };
    const { outcome } = await apply(dsn, reindex, { journal });
    expect(outcome).toMatchObject({
      outcome: 'needs_attention',
      code: 'transient_index_left',
      facts: { left: ['"Shöp".rebuilt_ccnew'] },
    });
    expect(await indexState(dsn, 'rebuilt')).toBe('valid');
    expect(await indexState(dsn, 'rebuilt_ccnew')).toBe('invalid');
    expect(await indexState(dsn, 'rebuilt_ccnew1')).toBe('absent');
  });
});
