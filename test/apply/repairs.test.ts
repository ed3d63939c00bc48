/** REINDEX CONCURRENTLY and CREATE STATISTICS, also cut off in the middle; a drop that depends on what stays. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { Change, Journal } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  check,
  client,
  driftCodes,
  newApplyId,
  QUALIFIED,
  rows,
  snapshotHolder,
  TABLE,
  until,
  waitingBuild,
} from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
let reindex: Change;

const NAME = 'Größe Idx';

async function definitionOf(name: string): Promise<string> {
  const [row] = await rows<{ definition: string }>(
    dsn,
    `SELECT pg_get_indexdef(c.oid) AS definition FROM pg_class c WHERE relname = $1`,
    [name],
  );
  return row?.definition ?? '';
}

async function open(major?: number) {
  ({ dsn, drop } = await applyDatabase(major));
  await rows(dsn, `CREATE INDEX "${NAME}" ON ${QUALIFIED} ("Größe")`);
  reindex = { kind: 'index.reindex', ...TABLE, name: NAME, definition: await definitionOf(NAME) };
}

/** Many deleted entries between those that stay: pages nearly empty, none given back. */
async function bloat() {
  await rows(
    dsn,
    `INSERT INTO ${QUALIFIED} SELECT i, lpad(i::text, 40, 'x'), 'open', i FROM generate_series(10000, 60000) i`,
  );
  await rows(dsn, `DELETE FROM ${QUALIFIED} WHERE id >= 10000 AND id % 20 <> 0`);
  await rows(dsn, `VACUUM ${QUALIFIED}`);
}

const allIndexes = () =>
  rows<{ name: string; valid: boolean; oid: number }>(
    dsn,
    `SELECT relname AS name, indisvalid AS valid, c.oid::int AS oid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
     WHERE indrelid = '${QUALIFIED}'::regclass ORDER BY relname`,
  );
const names = async () => (await allIndexes()).map(({ name, valid }) => `${name}${valid ? '' : ' invalid'}`);

async function recover(journal: Journal, applyId: string, change: Change) {
  return recoverApply({
    plan: buildPlan(change),
    apply_id: applyId,
    onProgress: () => {},
    dsn,
    openSession: openTarget,
    journal,
  });
}

afterEach(() => drop());

describe.each([15, 18])('an index is rebuilt, PostgreSQL %i', (major) => {
  it('and is smaller after it, with nothing left behind', async () => {
    await open(major);
    await bloat();
    const { outcome, journal, plan } = await apply(dsn, reindex);
    expect(plan.statements).toEqual(['REINDEX INDEX CONCURRENTLY "Shöp"."Größe Idx"']);
    expect(plan.rollback).toEqual([]);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    const { facts } = outcome;
    expect(Number(facts.freed_bytes)).toBeGreaterThan(Number(facts.size_before_bytes) / 2);
    expect(await names()).toEqual([NAME, 'Order Items_pkey']);
    // What was there before, the statement, and the index that it was seen to make.
    expect((await journal.entries()).map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    expect(await definitionOf(NAME)).toBe(reindex.kind === 'index.reindex' ? reindex.definition : '');
  });
});

describe('a rebuild', () => {
  beforeEach(() => open());

  it('that gives up drops its own half-built index and no other', async () => {
    // Somebody else's leftover of the same form and such a name: it was there before.
    await rows(dsn, `CREATE INDEX "x_ccnew" ON ${QUALIFIED} ("Größe")`);
    await rows(dsn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Shöp".x_ccnew'::regclass`);
    const holder = await snapshotHolder(dsn);
    const { outcome } = await apply(dsn, reindex, { lockBudgetMs: 500 });
    await holder.release();
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'lock_timeout' });
    expect(await names()).toEqual([NAME, 'Order Items_pkey', 'x_ccnew invalid']);
  });

  it('whose backend is ended is looked into: the half-built index goes, the old one stays in use', async () => {
    const holder = await snapshotHolder(dsn);
    const journal = newJournal();
    const applyId = newApplyId();
    const running = apply(dsn, reindex, { journal, apply_id: applyId });
    const pid = await waitingBuild(dsn);
    expect(await names()).toContain(`${NAME}_ccnew invalid`);
    await rows(dsn, 'SELECT pg_terminate_backend($1)', [pid]);
    expect((await running).outcome).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
    expect(await names()).toEqual([NAME, 'Order Items_pkey']);
    await holder.release();
    expect(await recover(journal, applyId, reindex)).toMatchObject({ outcome: 'failed' });
  });

  it('that is ended after the exchange has taken effect: the old index goes', async () => {
    const [before] = await allIndexes();
    // A reader of the table: the exchange does not wait for it, the drop of the old index does.
    const reader = await tableUser();
    const journal = newJournal();
    const applyId = newApplyId();
    const running = apply(dsn, reindex, { journal, apply_id: applyId });
    const pid = await until(async () => {
      const [row] = await rows<{ pid: number }>(
        dsn,
        `SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting for readers%'`,
      );
      return row?.pid;
    });
    expect(await names()).toContain(`${NAME}_ccold invalid`);
    await rows(dsn, 'SELECT pg_terminate_backend($1)', [pid]);
    await reader.release();
    const { outcome } = await running;
    // The clean-up may have met the reader: then the next look ends it.
    const final = outcome.outcome === 'applied' ? outcome : await recover(journal, applyId, reindex);
    expect(final).toMatchObject({ outcome: 'applied' });
    expect(await names()).toEqual([NAME, 'Order Items_pkey']);
    expect((await allIndexes())[0]?.oid).not.toBe(before?.oid);
  });

  it('is refused where the index is another one, invalid, or not there', async () => {
    expect(await driftCodes(dsn, reindex)).toEqual([]);
    expect(await driftCodes(dsn, { ...reindex, definition: 'CREATE INDEX other' } as Change)).toEqual([
      'index_changed',
    ]);
    await rows(dsn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Shöp"."${NAME}"'::regclass`);
    expect(await driftCodes(dsn, reindex)).toEqual(['index_not_valid']);
    await rows(dsn, `DROP INDEX "Shöp"."${NAME}"`);
    expect(await driftCodes(dsn, reindex)).toEqual(['index_missing']);
  });

  it('names who would hold it up', async () => {
    const holder = await snapshotHolder(dsn);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const { blockers } = await check(dsn, reindex);
    await holder.release();
    expect(blockers).toContainEqual(expect.objectContaining({ pid: holder.pid }));
  });
});

/** A session that holds a lock on the table, but no snapshot: READ COMMITTED between two statements. */
async function tableUser() {
  const holder = await client(dsn);
  await holder.query('BEGIN');
  await holder.query(`SELECT count(*) FROM ${QUALIFIED}`);
  return { release: () => holder.end() };
}

describe('a drop in favour of an index that is there', () => {
  it('is refused once that one is gone, invalid or another', async () => {
    await open();
    await rows(dsn, `CREATE INDEX longer ON ${QUALIFIED} ("Größe", n)`);
    const change: Change = {
      kind: 'index.drop',
      ...TABLE,
      name: NAME,
      definition: await definitionOf(NAME),
      covered_by: { schema: 'Shöp', name: 'longer', definition: await definitionOf('longer') },
    };
    expect(await driftCodes(dsn, change)).toEqual([]);
    await rows(dsn, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Shöp".longer'::regclass`);
    expect(await driftCodes(dsn, change)).toEqual(['cover_missing']);
    await rows(dsn, `DROP INDEX "Shöp".longer; CREATE INDEX longer ON ${QUALIFIED} (n)`);
    expect(await driftCodes(dsn, change)).toEqual(['cover_missing']);
  });
});

describe.each([15, 18])('statistics of columns together, PostgreSQL %i', (major) => {
  const change: Change = {
    kind: 'statistics.create',
    ...TABLE,
    name: 'Größe und n',
    kinds: ['mcv', 'dependencies'],
    columns: ['Größe', 'status'],
  };

  it('are made, filled and can be taken back', async () => {
    await open(major);
    await rows(dsn, `UPDATE ${QUALIFIED} SET status = "Größe"`);
    const { outcome, plan } = await apply(dsn, change);
    expect(plan.statements).toEqual([
      'CREATE STATISTICS "Shöp"."Größe und n" (dependencies, mcv) ON "Größe", status FROM "Shöp"."Order Items"',
      'ANALYZE "Shöp"."Order Items"',
    ]);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    expect(await driftCodes(dsn, change)).toEqual(['name_taken']);
    for (const statement of plan.rollback) await rows(dsn, statement);
    expect(await driftCodes(dsn, change)).toEqual([]);
    expect(await driftCodes(dsn, { ...change, columns: ['Größe', 'gone'] } as Change)).toEqual([
      'column_missing',
    ]);
  });

  it('that were cut off before ANALYZE are filled, unless it was begun', async () => {
    await open(major);
    const [create = '', analyze = ''] = buildPlan(change).statements;
    const begun = async (...purposes: ['statement', 'analyze'?]) => {
      const journal = newJournal();
      for (const purpose of purposes) {
        if (!purpose) continue;
        const sql = purpose === 'statement' ? create : analyze;
        await journal.intend({ purpose, sql, backend_pid: 1, backend_start: null });
      }
      return { journal, recovered: () => recover(journal, newApplyId(), change) };
    };
    const cutOff = await begun('statement');
    expect(await cutOff.recovered()).toMatchObject({ outcome: 'failed', code: 'statistics_missing' });
    // An ANALYZE by autovacuum would fill them as well.
    await rows(dsn, `ALTER TABLE ${QUALIFIED} SET (autovacuum_enabled = off)`);
    await rows(dsn, `UPDATE ${QUALIFIED} SET status = "Größe"`);
    await rows(dsn, create);
    const { recovered } = await begun('statement', 'analyze');
    expect(await recovered()).toMatchObject({ outcome: 'needs_attention', code: 'statistics_not_filled' });
    const { recovered: filled, journal } = await begun('statement');
    expect(await filled()).toMatchObject({ outcome: 'applied' });
    expect(await journal.entries()).toMatchObject([{ state: 'done' }, { purpose: 'analyze', state: 'done' }]);
    expect(await recovered()).toMatchObject({ outcome: 'applied' });
  });
});
