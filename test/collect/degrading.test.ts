/** What a snapshot leaves out, and says so, when something is in the way: one noun's trouble is never another's. */
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { openTarget, type TargetSession } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE held (id int PRIMARY KEY, v int DEFAULT 1 + 1, CHECK (v > 0));
CREATE INDEX held_plain ON held (v);
CREATE INDEX held_partial ON held (v) WHERE v > 10;
CREATE INDEX held_expression ON held ((v + 1));
CREATE VIEW over_held AS SELECT id FROM held;
CREATE TABLE free (id int PRIMARY KEY, v int);
CREATE INDEX free_partial ON free (v) WHERE v > 10;
CREATE VIEW over_free AS SELECT id FROM free;
INSERT INTO held SELECT g, g FROM generate_series(1, 5000) AS g;
VACUUM ANALYZE held;
`;

interface Prepared {
  dsn: string;
  admin: pg.Client;
  drop(): Promise<void>;
}

async function prepare(major: number | undefined, sql = SCHEMA): Promise<Prepared> {
  const server = await testServer(major === undefined ? {} : { major });
  const database = await server.createDatabase();
  const admin = new pg.Client({ connectionString: database.dsn });
  await admin.connect();
  // One by one: VACUUM does not run within the transaction that several statements at once are.
  for (const statement of sql.split(';\n').filter((text) => text.trim() !== '')) await admin.query(statement);
  return {
    dsn: database.dsn,
    admin,
    async drop() {
      await admin.end();
      await database.drop();
    },
  };
}

/** Collects; `before` is called with each statement before it is sent. */
async function collect(
  dsn: string,
  before: (sql: string, session: TargetSession) => Promise<void> = async () => {},
): Promise<Snapshot> {
  const session = await openTarget(dsn, options);
  const watched: TargetSession = {
    ...session,
    async query<T extends object>(sql: string, parameters?: unknown[]) {
      await before(sql, session);
      return session.query<T>(sql, parameters);
    },
  };
  try {
    return await collectSnapshot(watched);
  } finally {
    await session.close();
  }
}

/** Runs `action` once, before the first statement that reads this view or table. */
function once(reading: string, action: () => Promise<unknown>): (sql: string) => Promise<void> {
  let done = false;
  return async (sql) => {
    if (done || !sql.includes(reading)) return;
    done = true;
    await action();
  };
}

describe.each(testMajors)('on PostgreSQL %i', (major) => {
  it('a table that DDL holds keeps its counters; what would have to wait for it is left out', async () => {
    const { dsn, admin, drop } = await prepare(major);
    await admin.query('BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE');
    const snapshot = await collect(dsn);
    expect(snapshot.limits).toMatchObject([
      { scope: 'relations', code: 'relations_locked', message: expect.stringContaining('public.held') },
    ]);
    const held = snapshot.tables.find((row) => row.name === 'held');
    expect(held?.main_pages).toBe(held?.relpages);
    expect(held?.main_pages).toBeGreaterThan(10);
    expect(held?.total_bytes).toBeGreaterThan(held?.indexes_bytes ?? 0);
    expect(held?.n_live_tup).toBe(5000);
    expect(snapshot.indexes.map((row) => row.name).sort()).toEqual(['free_partial', 'free_pkey']);
    expect(snapshot.columns.map((row) => row.table)).not.toContain('held');
    expect(snapshot.columns.map((row) => row.table)).toContain('free');
    expect(snapshot.schema.views.map((row) => row.name)).toContain('over_free');
    expect(snapshot.schema.views.map((row) => row.name)).not.toContain('over_held');
    expect(snapshot.schema.constraints.map((row) => row.name)).toContain('held_pkey');
    await admin.query('ROLLBACK');
    const after = await collect(dsn);
    expect(after.limits).toEqual([]);
    expect(after.indexes.map((row) => row.name)).toContain('held_expression');
    await drop();
  });

  it('a lock on one index is in the way of its table only', async () => {
    const { dsn, admin, drop } = await prepare(major);
    await admin.query('BEGIN; ALTER INDEX held_plain SET (fillfactor = 80); DROP INDEX held_partial');
    const snapshot = await collect(dsn);
    expect(snapshot.limits.map((limit) => limit.code)).toEqual(['relations_locked']);
    expect(snapshot.indexes.map((row) => row.name)).toContain('free_partial');
    await admin.query('ROLLBACK');
    await drop();
  });

  it.each(['pg_get_indexdef', 'pg_get_constraintdef', 'pg_get_viewdef', 'format_type'])(
    'a table dropped just before %s is asked for does no harm',
    async (reading) => {
      const { dsn, admin, drop } = await prepare(major);
      const snapshot = await collect(
        dsn,
        once(reading, () => admin.query('DROP TABLE held CASCADE')),
      );
      expect(snapshot.limits).toEqual([]);
      expect(snapshot.indexes.map((row) => row.name)).toContain('free_partial');
      await drop();
    },
  );
});

it('a session that ends half-way fails the whole, clearly', async () => {
  const { dsn, admin, drop } = await prepare(undefined);
  const collecting = collect(dsn, async (sql, session) => {
    if (sql.includes('pg_get_indexdef'))
      await admin.query('SELECT pg_terminate_backend($1, 5000)', [session.pid]);
  });
  await expect(collecting).rejects.toMatchObject({ code: 'target_connection_lost', status: 502 });
  await drop();
});

it('row-level security hides statistics from a role that may SELECT', async () => {
  const { dsn, admin, drop } = await prepare(
    undefined,
    `${SCHEMA}ALTER TABLE held ENABLE ROW LEVEL SECURITY;\n`,
  );
  await admin.query(`CREATE ROLE "Bound" LOGIN PASSWORD 'x'; GRANT pg_monitor, pg_read_all_data TO "Bound"`);
  const bound = asRole(dsn, 'Bound', 'x');
  const before = await collect(bound);
  expect(before.limits).toMatchObject([
    { code: 'column_statistics_behind_policies', remedy: 'ALTER ROLE "Bound" BYPASSRLS;' },
  ]);
  await admin.query(before.limits[0]?.remedy ?? '');
  const after = await collect(bound);
  expect(after.limits).toEqual([]);
  expect(after.columns.find((row) => row.table === 'held')?.stats).not.toBeNull();
  await admin.query('DROP OWNED BY "Bound"; DROP ROLE "Bound"');
  await drop();
});

it('pg_stat_statements in a schema that the role may not use is a limit with the GRANTs', async () => {
  const { dsn, admin, drop } = await prepare(
    undefined,
    'CREATE SCHEMA "Ext";\nCREATE EXTENSION pg_stat_statements SCHEMA "Ext";\n',
  );
  await admin.query(
    `REVOKE SELECT ON "Ext".pg_stat_statements FROM PUBLIC; CREATE ROLE stranger LOGIN PASSWORD 'x'; GRANT pg_monitor TO stranger`,
  );
  const stranger = asRole(dsn, 'stranger', 'x');
  for (let round = 0; round < 2; round += 1) {
    const limit = (await collect(stranger)).limits.find((item) => item.scope === 'statements');
    expect(limit?.code).toBe('pg_stat_statements_not_readable');
    await admin.query(limit?.remedy ?? '');
    if ((await collect(stranger)).statements.length > 0) break;
  }
  const snapshot = await collect(stranger);
  expect(snapshot.limits).toEqual([]);
  expect(snapshot.statements.length).toBeGreaterThan(0);
  await admin.query('DROP OWNED BY stranger; DROP ROLE stranger');
  await drop();
});

it('settings that the collecting role has for itself are told as such', async () => {
  const { dsn, admin, drop } = await prepare(undefined);
  await admin.query(
    `CREATE ROLE tuned LOGIN PASSWORD 'x'; GRANT pg_monitor, pg_read_all_data TO tuned;
     ALTER ROLE tuned SET work_mem = '123MB'; ALTER ROLE tuned SET statement_timeout = '7s'; ALTER ROLE tuned SET jit = on`,
  );
  const snapshot = await collect(asRole(dsn, 'tuned', 'x'));
  const limit = snapshot.limits.find((item) => item.code === 'settings_of_own_role');
  expect(limit?.message).toContain('work_mem');
  expect(limit?.message).not.toContain('statement_timeout');
  const setting = (name: string) => snapshot.settings.find((row) => row.name === name);
  // What our session set for itself is undone: here by what the role has.
  expect(setting('statement_timeout')).toMatchObject({ setting: '7000', source: 'user' });
  expect(setting('jit')?.setting).toBe('on');
  expect(setting('default_transaction_read_only')).toMatchObject({ setting: 'off', source: 'default' });
  expect(snapshot.setting_overrides).toContainEqual({
    role: 'tuned',
    database: null,
    name: 'work_mem',
    value: '123MB',
  });
  await admin.query('DROP OWNED BY tuned; DROP ROLE tuned');
  await drop();
});
