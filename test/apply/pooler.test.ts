/** Applies and snapshots through a real PgBouncer, in both of its modes that matter. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asOwner, buildPlan, executePlan, recoverApply } from '../../src/apply/index.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Journal } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { havePgBouncer, pgBouncer } from '../target/pgbouncer.ts';
import { newJournal } from './journal.ts';
import {
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

const change = createIndexChange();
const plan = buildPlan(change);

describe.skipIf(!havePgBouncer)('PgBouncer (skipped where it is not installed)', () => {
  let dsn: string;
  const closers: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    const database = await applyDatabase();
    dsn = database.dsn;
    closers.push(database.drop);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  const pooled = async (mode: string) => {
    const bouncer = await pgBouncer(dsn, mode);
    closers.push(() => bouncer.stop());
    return bouncer;
  };
  const options = (to: string, journal: Journal, apply_id: string) => ({
    dsn: to,
    apply_id,
    openSession: asOwner(openTarget, change),
    journal,
    onProgress: () => {},
  });

  it.each(['transaction', 'statement'])('in %s mode nothing is applied or recovered', async (mode) => {
    const bouncer = await pooled(mode);
    const journal = newJournal();
    const given = options(bouncer.dsn, journal, newApplyId());
    const refusal = {
      code: 'target_behind_pooler',
      remedy: "Use a DSN that leads to the server itself, or to the pooler's session mode.",
    };
    await expect(executePlan(plan, given)).rejects.toMatchObject(refusal);
    await expect(recoverApply({ ...given, plan })).rejects.toMatchObject(refusal);
    expect(await journal.entries()).toEqual([]);
    expect(await indexState(dsn)).toBe('absent');
  });

  it('in session mode a snapshot sees what it sees without it', async () => {
    const bouncer = await pooled('session');
    const read = async (to: string) => {
      const session = await openTarget(to, { applicationName: 'pgluthier:collect', readOnly: true });
      const snapshot = await collectSnapshot(session).finally(() => session.close());
      return {
        tables: snapshot.tables.map(({ name }) => name),
        indexes: snapshot.indexes.map(({ definition }) => definition),
        limits: snapshot.limits.map(({ code }) => code),
      };
    };
    expect(await read(bouncer.dsn)).toEqual(await read(dsn));
  });

  it("in session mode it is built as the table's owner, and the next client finds a clean backend", async () => {
    const bouncer = await pooled('session');
    const owner = `pooled_${newApplyId()}`;
    await rows(dsn, `CREATE ROLE ${owner}`);
    await rows(dsn, `ALTER TABLE ${QUALIFIED} OWNER TO ${owner}; GRANT ALL ON SCHEMA "Shöp" TO ${owner}`);
    closers.push(() => rows(dsn, `DROP OWNED BY ${owner}; DROP ROLE ${owner}`));
    const outcome = await executePlan(plan, options(bouncer.dsn, newJournal(), newApplyId()));
    expect(outcome).toMatchObject({ outcome: 'applied' });
    const [row] = await rows<object>(
      bouncer.dsn,
      `SELECT current_user = session_user AS itself, current_setting('search_path') <> 'pg_catalog' AS own_path,
              current_setting('statement_timeout') AS statement_timeout,
              (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks`,
    );
    expect(row).toEqual({ itself: true, own_path: true, statement_timeout: '0', locks: 0 });
  });

  it('in session mode it is cancelled in the middle', async () => {
    const bouncer = await pooled('session');
    const holder = await snapshotHolder(dsn);
    closers.push(() => holder.release());
    const abort = new AbortController();
    const running = executePlan(plan, {
      ...options(bouncer.dsn, newJournal(), newApplyId()),
      signal: abort.signal,
    });
    await waitingBuild(dsn);
    abort.abort();
    expect(await running).toMatchObject({ outcome: 'failed', code: 'cancelled' });
    expect(await indexState(dsn)).toBe('absent');
  });

  it('a PgBouncer that is killed leaves the build running: it is adopted through the next one', async () => {
    const bouncer = await pgBouncer(dsn, 'session');
    const holder = await snapshotHolder(dsn);
    const journal = newJournal();
    const id = newApplyId();
    const running = executePlan(plan, options(bouncer.dsn, journal, id));
    await waitingBuild(dsn);
    await bouncer.stop();
    expect(await running).toBeNull();
    const next = await pooled('session');
    const recover = () => recoverApply({ ...options(next.dsn, journal, id), plan });
    expect(await recover()).toBeNull();
    await holder.release();
    expect(await until(recover)).toMatchObject({ outcome: 'applied' });
    expect(await indexState(dsn)).toBe('valid');
  });

  it('a server that a client of the pooler left with a role and settings of its own', async () => {
    const bouncer = await pooled('session');
    const other = await client(bouncer.dsn);
    await other.query(
      "SET search_path = 'nowhere'; SET statement_timeout = 1; SET default_transaction_read_only = on",
    );
    await other.end();
    const outcome = await executePlan(plan, options(bouncer.dsn, newJournal(), newApplyId()));
    expect(outcome).toMatchObject({ outcome: 'applied' });
  });
});
