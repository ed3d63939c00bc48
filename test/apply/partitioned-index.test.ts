import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { partitionIndexes } from '../../src/advise/index-advisor/partition-indexes.ts';
import { buildPlan } from '../../src/apply/index.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import { indexDefinitionSchema } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

/** Two levels, two schemas, a name that wants quotes, and a leaf whose index' usual name is taken. */
const SCHEMA = `
CREATE SCHEMA "Old Data";
CREATE TABLE event (id int, at date NOT NULL, kind text NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "Old Data"."event 2023" PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY LIST (kind);
CREATE TABLE "Old Data".event_2023_a PARTITION OF "Old Data"."event 2023" FOR VALUES IN ('a');
CREATE TABLE "Old Data".event_2023_rest PARTITION OF "Old Data"."event 2023" DEFAULT;
CREATE INDEX event_2024_kind_at_idx ON event_2024 (id);
INSERT INTO event SELECT i, date '2023-01-01' + i % 700, chr(97 + i % 4) FROM generate_series(1, 5000) AS i`;

describe.each(testMajors)('an index on a partitioned table, PostgreSQL %i', (major) => {
  it('is valid once its statements have run as they stand, and gone after those that undo it', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: SCHEMA });
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    try {
      const session = await openTarget(database.dsn, { applicationName: 'pgluthier-test', readOnly: true });
      const snapshot = await collectSnapshot(session).finally(() => session.close());
      const table = snapshot.tables.find((row) => row.name === 'event');
      if (!table) throw new Error('event was not collected');
      const index = indexDefinitionSchema.parse({
        schema: 'public',
        table: 'event',
        name: 'event_kind_at_idx',
        keys: ['kind', 'at'].map((column) => ({ column, expression: null })),
      });
      const partitions = partitionIndexes(index, table, snapshot);
      expect(partitions.map(({ leaf }) => leaf).sort()).toEqual([false, true, true, true]);
      const plan = buildPlan({ kind: 'index.create', index, partitions });
      for (const statement of plan.statements) await client.query(statement);
      const state = async () =>
        (
          await client.query(
            `SELECT count(*)::int AS indexes, bool_and(i.indisvalid) AS valid FROM pg_partition_tree(to_regclass('public.event_kind_at_idx')) AS t
             JOIN pg_index i ON i.indexrelid = t.relid`,
          )
        ).rows[0];
      expect(await state()).toEqual({ indexes: 5, valid: true });
      for (const statement of plan.rollback) await client.query(statement);
      expect(await state()).toEqual({ indexes: 0, valid: null });
      const { rows } = await client.query(
        "SELECT relname FROM pg_class WHERE relkind IN ('i', 'I') AND relname LIKE 'event%'",
      );
      expect(rows).toEqual([{ relname: 'event_2024_kind_at_idx' }]);
    } finally {
      await client.end();
      await database.drop();
    }
  });
});
