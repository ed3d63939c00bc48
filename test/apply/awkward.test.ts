/** What only shows on real targets: extensions' operator classes, drops that are cut off, a stop between two statements. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  client,
  column,
  createIndexChange,
  indexState,
  QUALIFIED,
  rows,
  TABLE,
  until,
} from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeEach(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterEach(() => drop());

it("finds an extension's operator class in the schema where it is installed", async () => {
  await rows(dsn, 'CREATE SCHEMA "Ext"');
  await rows(dsn, 'CREATE EXTENSION pg_trgm SCHEMA "Ext"');
  const { outcome } = await apply(
    dsn,
    createIndexChange({ method: 'gin', keys: [{ ...column('Größe'), opclass: 'gin_trgm_ops' }] }),
  );
  expect(outcome).toMatchObject({ outcome: 'applied', facts: { definition_check: 'normal form' } });
  expect(await indexState(dsn)).toBe('valid');
});

describe('a drop that is cut off', () => {
  const change: Change = {
    kind: 'index.drop',
    ...TABLE,
    name: 'goes',
    definition: `CREATE INDEX goes ON ${QUALIFIED} USING btree (n)`,
  };
  beforeEach(() => rows(dsn, `CREATE INDEX goes ON ${QUALIFIED} (n)`));

  const leftovers = async () =>
    (
      await rows<{ relname: string }>(dsn, 'SELECT relname FROM pg_class WHERE relname ~ $1', [
        '_cc(new|old)',
      ])
    ).map((row) => row.relname);

  it('by its lock budget, while a reader stays: is left as it is, and says so', async () => {
    const reader = await client(dsn);
    await reader.query('BEGIN');
    await reader.query(`SELECT count(*) FROM ${QUALIFIED}`);
    const { outcome } = await apply(dsn, change, { lockBudgetMs: 2_500 });
    expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'index_left_invalid' });
    expect(await leftovers()).toEqual([]);
    await reader.end();
    expect(await indexState(dsn, 'goes')).toBe('invalid');
  });

  it('while a reader comes too late to be seen: is healed, and what that leaves is named', async () => {
    const reader = await client(dsn);
    await reader.query('BEGIN');
    await reader.query(`SELECT count(*) FROM ${QUALIFIED}`);
    const { outcome, journal } = await apply(dsn, change, { lockBudgetMs: 300 });
    expect(outcome).toMatchObject({ outcome: 'needs_attention', code: 'transient_index_left' });
    expect(await indexState(dsn, 'goes')).toBe('valid');
    const left = await leftovers();
    expect(left).toHaveLength(1);
    if (outcome.outcome === 'needs_attention') expect(outcome.facts.left).toEqual([`"Shöp".${left[0]}`]);
    expect((await journal.entries()).map((entry) => entry.purpose)).toEqual([
      'statement',
      'statement',
      'cleanup',
      // The index that the rebuild was seen to make.
      'statement',
      'cleanup',
    ]);
    await reader.end();
  });

  it('by its signal: the index is made valid again', async () => {
    const reader = await client(dsn);
    await reader.query('BEGIN');
    await reader.query(`SELECT count(*) FROM ${QUALIFIED}`);
    const abort = new AbortController();
    const running = apply(dsn, change, { signal: abort.signal });
    await until(async () => (await indexState(dsn, 'goes')) === 'invalid');
    abort.abort();
    // The reader goes as soon as the drop has been given up: the healing is to find the way free.
    await until(
      async () =>
        (
          await rows(
            dsn,
            `SELECT FROM pg_stat_activity WHERE query LIKE 'DROP INDEX%' AND state = 'active'
                          AND datname = current_database()`,
          )
        ).length === 0,
    );
    await reader.end();
    const { outcome } = await running;
    expect(outcome).toMatchObject({ outcome: 'failed', code: 'cancelled' });
    expect(await indexState(dsn, 'goes')).toBe('valid');
    expect(await leftovers()).toEqual([]);
  });
});

it('a stop between ALTER SYSTEM and its reload leaves no value that is not in force', async () => {
  const abort = new AbortController();
  const journal = newJournal();
  const settle = journal.settle;
  journal.settle = async (step, outcome) => {
    await settle(step, outcome);
    abort.abort();
  };
  const { outcome } = await apply(
    dsn,
    { kind: 'setting', name: 'join_collapse_limit', value: '9', current_value: '8', context: 'user' },
    { signal: abort.signal, journal },
  );
  const [entry] = await rows(
    dsn,
    "SELECT setting, applied FROM pg_file_settings WHERE name = 'join_collapse_limit'",
  );
  await rows(dsn, 'ALTER SYSTEM RESET join_collapse_limit');
  await rows(dsn, 'SELECT pg_reload_conf()');
  if (outcome.outcome === 'applied') expect(entry).toEqual({ setting: '9', applied: true });
  else expect(entry).toBeUndefined();
});

it('an outcome is kept although the journal is away for a moment', async () => {
  const journal = newJournal();
  const settle = journal.settle;
  let refusals = 2;
  journal.settle = async (step, outcome) => {
    if (refusals-- > 0) throw new Error('the store is away');
    await settle(step, outcome);
  };
  const { outcome } = await apply(dsn, createIndexChange(), { journal });
  expect(outcome).toMatchObject({ outcome: 'applied' });
  expect(await journal.entries()).toMatchObject([{ state: 'done' }, { state: 'done' }]);
});
