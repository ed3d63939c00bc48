import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;

async function collect(dsn: string): Promise<Snapshot> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
  try {
    return await collectSnapshot(session);
  } finally {
    await session.close();
  }
}

/** Waits until a query says yes; the test's own timeout is its limit. */
async function until(client: pg.Client, sql: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ yes: boolean }>(`SELECT (${sql}) AS yes`);
    if (rows[0]?.yes) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const SECRET = 'somebody@example.com';

describe.each(majors)('PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  const clients: pg.Client[] = [];
  const connect = async (name: string) => {
    const client = new pg.Client({ connectionString: dsn, application_name: name });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    const server = await testServer({
      major,
      settings: { wal_level: 'logical', max_prepared_transactions: '5', max_replication_slots: '5' },
    });
    const database = await server.createDatabase({
      sql: `CREATE EXTENSION pg_stat_statements; CREATE SEQUENCE used MAXVALUE 99; CREATE SEQUENCE fresh;
        SELECT nextval('used'), nextval('used');
        CREATE TYPE pair AS (a int, "B c" text[]); CREATE TYPE span AS RANGE (subtype = numeric);
        CREATE TABLE held (id serial PRIMARY KEY, v text, p pair);
        CREATE TABLE wide (a int, b int); CREATE STATISTICS both_of (ndistinct, dependencies, mcv) ON a, b FROM wide;
        INSERT INTO held (v) SELECT repeat('x', 3000) || g FROM generate_series(1, 200) g;
        INSERT INTO wide SELECT CASE WHEN g % 10 > 0 THEN g % 10 END, g % 10 FROM generate_series(1, 2000) g;
        CREATE INDEX ON held (upper(v)); ANALYZE;`,
    });
    dsn = database.dsn;
    drop = database.drop;
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
    await drop?.();
  });

  it('sees who waits for whom, who holds back vacuum, and no text of what they run', async () => {
    const [holder, waiter, watcher] = [
      await connect('holder'),
      await connect('waiter'),
      await connect('watcher'),
    ];
    await holder.query('BEGIN; LOCK TABLE held IN SHARE MODE; SELECT txid_current()');
    await holder.query(`SELECT '${SECRET}'`);
    const waiting = waiter.query(`UPDATE held SET v = '${SECRET}' WHERE id = 1`).catch(() => {});
    await until(
      watcher,
      `EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'waiter' AND wait_event_type = 'Lock')`,
    );
    const { activity, limits } = await collect(dsn);
    expect(limits).toEqual([]);
    const blocked = activity.sessions.find((row) => row.application_name === 'waiter');
    const blocker = activity.sessions.find((row) => row.application_name === 'holder');
    expect(blocked).toMatchObject({
      state: 'active',
      wait_event_type: 'Lock',
      blocked_by: [blocker?.pid],
      waits_for: { locktype: 'relation', mode: 'RowExclusiveLock', relation_oid: expect.any(Number) },
    });
    expect(blocker).toMatchObject({ state: 'idle in transaction', blocked_by: [], waits_for: null });
    expect(blocker?.xid_age).toBeGreaterThanOrEqual(0);
    expect(activity.groups.find((row) => row.application_name === 'waiter')).toMatchObject({
      sessions: 1,
      wait_event_type: 'Lock',
    });
    expect(activity.groups.some((row) => row.backend_type === 'checkpointer')).toBe(true);
    expect(activity.groups.some((row) => row.application_name === 'pgluthier:test')).toBe(false);
    expect(JSON.stringify(activity)).not.toContain(SECRET);
    await holder.query('ROLLBACK');
    await waiting;
  });

  it('names a prepared transaction and a slot as holders of the horizon', async () => {
    const client = await connect('preparer');
    // First the slot: making one waits for all transactions that write, prepared ones too.
    await client.query("SELECT pg_create_logical_replication_slot('slot_of_test', 'pgoutput')");
    await client.query("BEGIN; INSERT INTO wide VALUES (1, 1); PREPARE TRANSACTION 'forgotten ''one'''");
    const { activity, replication } = await collect(dsn);
    await client.query("SELECT pg_drop_replication_slot('slot_of_test')");
    await client.query("ROLLBACK PREPARED 'forgotten ''one'''");
    expect(activity.prepared_transactions).toMatchObject([
      { gid: "forgotten 'one'", xid_age: expect.any(Number) },
    ]);
    const kinds = activity.xmin_holders.map((row) => `${row.kind} ${row.name}`);
    expect(kinds).toContain("prepared_transaction forgotten 'one'");
    expect(kinds).toContain('replication_slot slot_of_test');
    expect(replication.slots).toMatchObject([
      {
        name: 'slot_of_test',
        slot_type: 'logical',
        plugin: 'pgoutput',
        active: false,
        wal_status: 'reserved',
      },
    ]);
    expect(replication).toMatchObject({ senders: [], receiver: null });
  });

  it('sees an index build that waits for an older transaction', async () => {
    const [old, builder, watcher] = [
      await connect('old'),
      await connect('builder'),
      await connect('watcher'),
    ];
    await old.query('BEGIN; INSERT INTO wide VALUES (2, 2)');
    const building = builder.query('CREATE INDEX CONCURRENTLY slow_one ON wide (b)').catch(() => {});
    await until(watcher, `EXISTS (SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%')`);
    const { activity, indexes } = await collect(dsn);
    await old.query('ROLLBACK');
    await building;
    expect(activity.index_builds).toMatchObject([
      { command: 'CREATE INDEX CONCURRENTLY', phase: 'waiting for writers before build', lockers_total: 1 },
    ]);
    expect(indexes.find((row) => row.name === 'slow_one')?.is_valid).toBe(false);
  });

  it('fills the counters, pg_stat_io from 16 on, and every database of the server', async () => {
    const { counters, server } = await collect(dsn);
    expect(counters.database).toMatchObject({ tup_inserted: expect.any(Number), sessions_killed: 0 });
    expect(counters.checkpoints).toMatchObject({ done: major >= 18 ? expect.any(Number) : null });
    expect(counters.bgwriter?.buffers_backend === null).toBe(major >= 17);
    expect(counters.wal?.wal_records).toBeGreaterThan(0);
    expect(counters.archiver).toMatchObject({ failed_count: 0 });
    expect(counters.transaction_ids?.next_xid).toBeGreaterThan(0);
    expect(counters.transaction_ids?.wal_position_bytes).toBeGreaterThan(2 ** 20);
    expect(counters.databases.map((row) => row.name)).toEqual(
      expect.arrayContaining([server.database, 'template1']),
    );
    if (major < 16) expect(counters.io).toBeNull();
    else {
      const reads = counters.io?.find(
        (row) =>
          row.backend_type === 'client backend' && row.object === 'relation' && row.context === 'normal',
      );
      expect(reads?.hits).toBeGreaterThan(0);
      // Since 18 one read may be of several blocks.
      expect(reads?.read_bytes).toBeGreaterThanOrEqual((reads?.reads ?? 0) * 8192);
    }
  });

  it('reads sequences, types, statistics objects and TOAST', async () => {
    const { schema, tables } = await collect(dsn);
    const sequence = (name: string) => schema.sequences.find((row) => row.name === name);
    expect(sequence('used')).toMatchObject({
      last_value: '2',
      max_value: '99',
      data_type: 'bigint',
      owner_column: null,
    });
    expect(sequence('fresh')).toMatchObject({ last_value: null });
    expect(sequence('held_id_seq')).toMatchObject({
      owner_column: 'id',
      data_type: 'integer',
      last_value: '200',
    });
    expect(schema.composite_types).toEqual([
      {
        schema: 'public',
        name: 'pair',
        attributes: [
          { name: 'a', type: 'integer' },
          { name: 'B c', type: 'text[]' },
        ],
      },
    ]);
    expect(schema.range_types).toMatchObject([{ name: 'span', subtype: 'numeric', collation: null }]);
    const [statistics] = schema.extended_statistics;
    expect(statistics).toMatchObject({
      name: 'both_of',
      columns: ['a', 'b'],
      expressions: [],
      stattarget: null,
    });
    expect([...(statistics?.kinds ?? [])].sort()).toEqual(['d', 'f', 'm']);
    expect(statistics?.data?.n_distinct).toContain('10');
    expect(statistics?.data?.most_common_vals).toContainEqual([null, '0']);
    expect(statistics?.data?.most_common_vals).toContainEqual(['3', '3']);
    expect(schema.expression_stats).toHaveLength(1);
    expect(schema.expression_stats?.[0]?.stats.n_distinct).toBe(-1);
    const held = tables.find((row) => row.name === 'held');
    expect(held).toMatchObject({
      access_method: 'heap',
      row_security: false,
      relallfrozen: major >= 18 ? expect.any(Number) : null,
    });
    expect(held?.mxid_age).toBeGreaterThanOrEqual(0);
    expect(held?.toast?.oid).toBeGreaterThan(0);
    expect(tables.find((row) => row.name === 'wide')?.toast).toBeNull();
  });
});
