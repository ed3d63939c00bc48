/** The trigger that we reckon is the row at which autovacuum of a real server comes: not one earlier, not one later. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deadRowTrigger, insertTrigger } from '../../../src/advise/autovacuum/trigger.ts';
import { quoteIdentifier, type Snapshot, type TableRow } from '../../../src/domain/index.ts';
import { rows as ask } from '../../apply/target.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { type SampleDatabase, sampleDatabase } from '../rules/index/context.ts';

const ROWS = 10_000;
/** Nothing but the trigger in question brings autovacuum. */
const QUIET = 'autovacuum_analyze_threshold = 2000000000, autovacuum_vacuum_insert_threshold = -1';
const NO_DEAD = 'autovacuum_analyze_threshold = 2000000000, autovacuum_vacuum_threshold = 2000000000';

interface Case {
  name: string;
  options: string;
  kind: 'dead' | 'inserted';
  since: number;
}
const CASES: Case[] = [
  { name: 'default', options: QUIET, kind: 'dead', since: 15 },
  {
    name: 'own',
    options: `${QUIET}, autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.013`,
    kind: 'dead',
    since: 15,
  },
  { name: 'capped', options: `${QUIET}, autovacuum_vacuum_max_threshold = 500`, kind: 'dead', since: 18 },
  {
    name: 'inserts',
    options: `${NO_DEAD}, autovacuum_vacuum_insert_threshold = 11000, autovacuum_vacuum_insert_scale_factor = 0.05`,
    kind: 'inserted',
    since: 15,
  },
];

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  const cases = CASES.filter((item) => item.since <= major);
  let database: SampleDatabase;

  beforeAll(async () => {
    database = await sampleDatabase('', await testServer({ major, settings: { autovacuum_naptime: '1s' } }));
  });
  afterAll(async () => database?.close());

  const rowOf = (snapshot: Snapshot, name: string): TableRow => {
    const row = snapshot.tables.find((item) => item.name === name);
    if (!row) throw new Error(`no table ${name}`);
    return row;
  };

  async function vacuumed(names: string[]): Promise<void> {
    for (;;) {
      const seen = await ask(
        database.dsn,
        'SELECT FROM pg_stat_user_tables WHERE relname = ANY ($1) AND autovacuum_count > 0',
        [names],
      );
      if (seen.length === names.length) return;
      await sleep(100);
    }
  }

  /** One statement, whose counts are with the server before it ends. */
  const counted = (sql: string) => database.query(`${sql}; SELECT pg_stat_force_next_flush()`);

  test('autovacuum comes above the trigger, and not at it', { timeout: 120_000 }, async () => {
    const names = cases.flatMap((item) => [`${item.name}_at`, `${item.name}_over`]);
    for (const item of cases) {
      for (const name of [`${item.name}_at`, `${item.name}_over`]) {
        await database.query(`CREATE TABLE ${quoteIdentifier(name)} (a int) WITH (${item.options})`);
        await counted(`INSERT INTO ${quoteIdentifier(name)} SELECT generate_series(1, ${ROWS})`);
        await database.query(`ANALYZE ${quoteIdentifier(name)}`);
      }
    }
    await database.query('SELECT 1');
    const before = await database.snapshot();
    for (const name of names)
      expect(rowOf(before, name)).toMatchObject({ reltuples: ROWS, autovacuum_count: 0 });
    for (const item of cases) {
      for (const [suffix, beyond] of [
        ['at', 0],
        ['over', 1],
      ] as const) {
        const name = `${item.name}_${suffix}`;
        const row = rowOf(before, name);
        const trigger = (item.kind === 'dead' ? deadRowTrigger : insertTrigger)(row, before);
        if (trigger === null) throw new Error(`no trigger of ${name}`);
        const rows = Math.floor(trigger.rows) + beyond;
        await counted(
          item.kind === 'dead'
            ? `DELETE FROM ${quoteIdentifier(name)} WHERE a <= ${rows}`
            : `INSERT INTO ${quoteIdentifier(name)} SELECT generate_series(1, ${rows - row.n_ins_since_vacuum})`,
        );
      }
    }
    await vacuumed(cases.map((item) => `${item.name}_over`));
    // A round that began after all of it was counted: it vacuums this table, and looked at all others.
    await database.query(`CREATE TABLE last (a int) WITH (${QUIET})`);
    await counted('INSERT INTO last SELECT generate_series(1, 1000)');
    await counted('DELETE FROM last');
    await vacuumed(['last']);
    const after = await database.snapshot();
    const came = names.filter((name) => rowOf(after, name).autovacuum_count > 0);
    expect(came).toEqual(cases.map((item) => `${item.name}_over`));
  });
});
