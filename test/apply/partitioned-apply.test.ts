import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSight } from '../../src/apply/build-witness.ts';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { Change, PartitionIndex } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors } from '../support/servers.ts';
import {
  apply,
  applyServer,
  check,
  client,
  column,
  driftCodes,
  newApplyId,
  rows,
  seen,
  snapshotHolder,
  until,
} from './target.ts';

/** Two levels, two schemas, names that want quotes. */
const SCHEMA = `
CREATE SCHEMA "Old Data";
CREATE TABLE event (id int, at date NOT NULL, kind text NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "Old Data"."event 2023" PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY LIST (kind);
CREATE TABLE "Old Data".event_2023_a PARTITION OF "Old Data"."event 2023" FOR VALUES IN ('a');
CREATE TABLE "Old Data".event_2023_rest PARTITION OF "Old Data"."event 2023" DEFAULT;
CREATE TABLE other (id int);
INSERT INTO event SELECT i, date '2023-01-01' + i % 700, chr(97 + i % 4) FROM generate_series(1, 3000) AS i`;

const part = (schema: string, table: string, parent: [string, string], leaf = true): PartitionIndex => ({
  schema,
  table,
  name: `${table}_at_idx`,
  parent_schema: parent[0],
  parent_name: parent[1],
  leaf,
});
const PARTITIONS = [
  part('public', 'event_2024', ['public', 'event_at_idx']),
  part('Old Data', 'event 2023', ['public', 'event_at_idx'], false),
  part('Old Data', 'event_2023_a', ['Old Data', 'event 2023_at_idx']),
  part('Old Data', 'event_2023_rest', ['Old Data', 'event 2023_at_idx']),
];
const CHANGE: Change = {
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'event',
    name: 'event_at_idx',
    method: 'btree',
    unique: false,
    keys: [column('at')],
    include: [],
    where: null,
    options: {},
  },
  partitions: PARTITIONS,
};

interface Tree {
  indexes: number;
  attached: number;
  valid: boolean | null;
}

describe.each(testMajors)('an index on a partitioned table, PostgreSQL %i', (major) => {
  let server: Awaited<ReturnType<typeof applyServer>>;
  const dropped: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await applyServer(major);
  });
  afterAll(async () => {
    for (const drop of dropped) await drop();
  });
  const fresh = async () => {
    const database = await server.createDatabase({ sql: SCHEMA });
    dropped.push(() => database.drop());
    return database.dsn;
  };
  const tree = async (dsn: string): Promise<Tree | undefined> => {
    const [row] = await rows<Tree>(
      dsn,
      `SELECT (SELECT count(*)::int FROM pg_class WHERE relkind IN ('i', 'I') AND relname LIKE 'event%') AS indexes,
              (SELECT count(*)::int FROM pg_partition_tree(to_regclass('event_at_idx'))) AS attached,
              (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('event_at_idx')) AS valid`,
    );
    return row;
  };

  it('runs the statements that were approved, is valid at the end, and goes again with its tree', async () => {
    const dsn = await fresh();
    expect(await check(dsn, CHANGE)).toEqual({ drift: [], blockers: [] });
    const ran = await apply(dsn, CHANGE);
    expect(ran.outcome).toMatchObject({ outcome: 'applied' });
    const entries = await ran.journal.entries();
    const sent = entries.filter((entry) => !isSight(entry)).map(({ sql }) => sql);
    expect(sent).toEqual(ran.plan.statements);
    // One for each leaf that was built.
    expect(entries.filter(isSight)).toHaveLength(3);
    expect(await tree(dsn)).toEqual({ indexes: 5, attached: 5, valid: true });
    expect(await driftCodes(dsn, CHANGE)).toEqual(['equivalent_index_exists']);

    const definitions = await rows<{ name: string; definition: string }>(
      dsn,
      `SELECT relname AS name, pg_get_indexdef(oid) AS definition FROM pg_class WHERE relkind IN ('i', 'I') AND relname LIKE 'event%'`,
    );
    const definition = (name: string) => definitions.find((row) => row.name === name)?.definition ?? '';
    const drop: Change = {
      kind: 'index.drop',
      schema: 'public',
      table: 'event',
      name: 'event_at_idx',
      definition: definition('event_at_idx'),
      partitions: PARTITIONS.map((one) => ({ ...one, definition: definition(one.name) })),
    };
    const { partitions: _, ...alone } = drop;
    expect(() => buildPlan(alone)).toThrow(/pg_get_indexdef/);
    expect(await driftCodes(dsn, { ...drop, partitions: drop.partitions?.slice(1) ?? [] })).toEqual([
      'partitions_changed',
    ]);
    const gone = await apply(dsn, drop);
    expect(gone.outcome).toMatchObject({ outcome: 'applied' });
    expect(await tree(dsn)).toEqual({ indexes: 0, attached: 0, valid: null });
    const session = await client(dsn);
    for (const statement of gone.plan.rollback) await session.query(statement);
    await session.end();
    expect(await tree(dsn)).toEqual({ indexes: 5, attached: 5, valid: true });
  });

  it("uses an equal index of a leaf again, and refuses a tree that is not the plan's", async () => {
    const dsn = await fresh();
    await rows(dsn, 'CREATE INDEX event_made_by_hand ON event_2024 (at)');
    const ran = await apply(dsn, CHANGE);
    expect(ran.outcome).toMatchObject({
      outcome: 'applied',
      facts: { reused: ['public.event_made_by_hand'] },
    });
    const sent = (await ran.journal.entries()).map(({ sql }) => sql);
    expect(sent).toContain('ALTER INDEX public.event_at_idx ATTACH PARTITION public.event_made_by_hand');
    expect(sent.filter((sql) => sql.includes('CONCURRENTLY'))).toHaveLength(2);
    expect(await tree(dsn)).toEqual({ indexes: 5, attached: 5, valid: true });

    const other = await fresh();
    await rows(
      other,
      "CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    );
    expect(await driftCodes(other, CHANGE)).toEqual(['partitions_changed']);
    expect((await apply(other, CHANGE)).outcome).toMatchObject({
      outcome: 'failed',
      code: 'partitions_changed',
    });
    expect(await tree(other)).toEqual({ indexes: 0, attached: 0, valid: null });
  });

  it('is stopped in the middle without an invalid leaf, and goes on from there when it is applied again', async () => {
    const dsn = await fresh();
    const holder = await snapshotHolder(dsn);
    const stop = new AbortController();
    const running = apply(dsn, CHANGE, { signal: stop.signal });
    await until(async () => {
      const found = await rows(
        dsn,
        'SELECT FROM pg_stat_progress_create_index WHERE datname = current_database()',
      );
      return found.length > 0;
    });
    stop.abort();
    const stopped = await running;
    expect(stopped.outcome).toMatchObject({
      outcome: 'needs_attention',
      code: 'partly_built',
      facts: { because: 'cancelled' },
    });
    const invalid = await rows(
      dsn,
      `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i'`,
    );
    expect(invalid).toEqual([]);
    await holder.release();
    expect((await check(dsn, CHANGE)).drift).toEqual([]);
    const again = await apply(dsn, CHANGE);
    expect(again.outcome).toMatchObject({ outcome: 'applied' });
    const first = (await stopped.journal.entries())
      .filter(({ state }) => state === 'done')
      .map(({ sql }) => sql);
    const second = (await again.journal.entries()).map(({ sql }) => sql);
    expect(second.filter((sql) => first.includes(sql))).toEqual([]);
    expect(await tree(dsn)).toEqual({ indexes: 5, attached: 5, valid: true });
  });

  it('that a crash cut off is recovered: no statement twice, the rest by another apply', async () => {
    const dsn = await fresh();
    const journal = (await apply(dsn, { kind: 'analyze', schema: 'public', table: 'other' })).journal;
    const plan = buildPlan(CHANGE);
    const session = await client(dsn);
    for (const sql of plan.statements.slice(0, 3)) {
      await session.query(sql);
      const step = await journal.intend({ purpose: 'statement', sql, backend_pid: 1, backend_start: null });
      await journal.settle(step, { state: 'done', sqlstate: null, message: null });
    }
    // What a killed backend leaves of the next leaf.
    await session.query('CREATE INDEX "event_2023_a_at_idx" ON "Old Data".event_2023_a (at)');
    await session.query(
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Old Data".event_2023_a_at_idx'::regclass`,
    );
    await session.end();
    const recovering = () =>
      recoverApply({
        plan,
        apply_id: newApplyId(),
        onProgress: () => {},
        dsn,
        openSession: openTarget,
        journal,
      });
    // Nobody saw it made: it may be somebody else's, and stays.
    expect(await recovering()).toMatchObject({
      outcome: 'needs_attention',
      code: 'unseen_leftover',
      facts: { unseen: ['"Old Data".event_2023_a_at_idx'] },
    });
    expect(await tree(dsn)).toMatchObject({ indexes: 4, valid: false });
    await seen(dsn, journal, '"Old Data".event_2023_a_at_idx');
    expect(await recovering()).toMatchObject({ outcome: 'failed', code: 'interrupted_before_effect' });
    expect(await tree(dsn)).toMatchObject({ indexes: 3, valid: false });
    expect((await apply(dsn, CHANGE)).outcome).toMatchObject({ outcome: 'applied' });
    expect(await tree(dsn)).toEqual({ indexes: 5, attached: 5, valid: true });
  });
});
