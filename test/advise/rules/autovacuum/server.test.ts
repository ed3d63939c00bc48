/** A churned table of a real server: seen in a window, its options taken by the server, and vacuumed by them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as insertRule } from '../../../../src/advise/rules/autovacuum/insert-scale-factor.ts';
import { rule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as statisticsMissing } from '../../../../src/advise/rules/health/statistics-missing.ts';
import {
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type Snapshot,
} from '../../../../src/domain/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { testMajors, testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from '../index/context.ts';

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let before: Snapshot;
  let after: Snapshot;

  beforeAll(async () => {
    database = await sampleDatabase(
      `
      CREATE SCHEMA "Größe";
      CREATE TABLE "Größe"."Heiß" (id int PRIMARY KEY, n int) WITH (autovacuum_vacuum_threshold = 60);
      CREATE TABLE calm (id int PRIMARY KEY, n int);
      CREATE TABLE log (id int, t timestamptz DEFAULT now());
      CREATE TABLE fresh (id int) WITH (autovacuum_enabled = off);
      INSERT INTO "Größe"."Heiß" SELECT g, 0 FROM generate_series(1, 120000) g;
      INSERT INTO calm SELECT g, 0 FROM generate_series(1, 120000) g;
      INSERT INTO log SELECT g FROM generate_series(1, 1000000) g;
      ANALYZE "Größe"."Heiß", calm, log;
      INSERT INTO fresh SELECT g FROM generate_series(1, 5000) g;
      SELECT pg_stat_force_next_flush();
      `,
      await testServer({ major, settings: { autovacuum_naptime: '1d' } }),
    );
    await database.query('SELECT 1');
    before = await database.snapshot();
    await database.query('UPDATE "Größe"."Heiß" SET n = n + 1 WHERE id <= 2000');
    await database.query('INSERT INTO log SELECT g FROM generate_series(1, 1000) g');
    await database.query('SELECT pg_stat_force_next_flush()');
    await database.query('SELECT 1');
    after = await database.snapshot();
  });

  afterAll(async () => database?.close());

  /** As if the two snapshots had been a minute apart, whatever the machine took, and autovacuum looked each minute. */
  function context() {
    const settings = after.settings.map((row) =>
      row.name === 'autovacuum_naptime' ? { ...row, setting: '60' } : row,
    );
    return contextOf({ ...after, settings }, { window: { ...diffSnapshots(before, after), seconds: 60 } });
  }

  test('only the churned table is advised, and the server takes the options', async () => {
    const { recommendations } = await rule.evaluate(context());
    expect(recommendations.map((draft) => draft.title)).toEqual([
      expect.stringMatching(/^Vacuum Größe\.Heiß after 2,\d{3} dead rows, not 24,060$/),
    ]);
    const change = recommendations[0]?.change;
    if (change?.kind !== 'table.reloptions') throw new Error('no reloptions');
    expect(change.previous.autovacuum_vacuum_threshold).toBe('60');
    const options = Object.entries(change.set).map(
      ([name, value]) => `${quoteIdentifier(name)} = ${quoteLiteral(value)}`,
    );
    await database.query(
      `ALTER TABLE ${quoteQualified(change.schema, change.table)} SET (${options.join(', ')})`,
    );
    const table = (await database.snapshot()).tables.find((row) => row.name === 'Heiß');
    expect(table?.reloptions).toMatchObject(change.set);
  });

  test('the insert-only table is advised with options that the server takes', async () => {
    const { recommendations } = await insertRule.evaluate(context());
    expect(recommendations.map((draft) => draft.key)).toEqual([
      'table.reloptions public.log autovacuum_vacuum_insert',
    ]);
    const change = recommendations[0]?.change;
    if (change?.kind !== 'table.reloptions') throw new Error('no reloptions');
    const options = Object.entries(change.set).map(
      ([name, value]) => `${quoteIdentifier(name)} = ${quoteLiteral(value)}`,
    );
    await database.query(`ALTER TABLE log SET (${options.join(', ')})`);
  });

  test('the table that nothing ever analysed is found, and no other', async () => {
    const { recommendations } = await statisticsMissing.evaluate(context());
    expect(recommendations.map((draft) => draft.key)).toEqual(['analyze public.fresh']);
  });
});
