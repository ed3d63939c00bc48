/** What stands around the tables, and what pg_stats says beyond one row a column, on the oldest and the newest server. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { stripLiterals } from '../../src/snapshot-file/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';

const SCHEMA = `
CREATE SCHEMA "Meß"; CREATE EXTENSION pg_trgm SCHEMA "Meß"; CREATE EXTENSION pg_stat_statements;
CREATE TABLE parent (id int PRIMARY KEY, k int, r int4range);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT g, 1, int4range(g, g + 10) FROM generate_series(1, 100) AS g;
INSERT INTO child SELECT g, g % 4, 'empty' FROM generate_series(101, 500) AS g;
ALTER TABLE parent REPLICA IDENTITY FULL; ALTER TABLE parent ALTER k SET (n_distinct = -0.5, n_distinct_inherited = 7);
CREATE INDEX by_bytes ON parent ((k::text COLLATE "C"));
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION g() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
CREATE TRIGGER fires BEFORE INSERT OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER sleeps AFTER TRUNCATE ON parent EXECUTE FUNCTION f();
ALTER TABLE parent DISABLE TRIGGER sleeps;
CREATE PUBLICATION "Ö" FOR TABLE parent WITH (publish = 'insert, update');
CREATE SUBSCRIPTION geheim CONNECTION 'password=geheim2' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
ANALYZE;
`;

describe.each([14, 18])('PostgreSQL %i', (major) => {
  let admin: pg.Client;
  let drop: () => Promise<void>;
  let dsn: string;
  let snapshot: Snapshot;
  const role = `narrow_${major}`;

  const collect = async (address: string): Promise<Snapshot> => {
    const session = await openTarget(address, { applicationName: 'pgluthier:test', readOnly: true });
    return collectSnapshot(session).finally(() => session.close());
  };

  beforeAll(async () => {
    const server = await testServer({ major, settings: { wal_level: 'logical' } });
    const database = await server.createDatabase({ sql: SCHEMA });
    dsn = database.dsn;
    admin = new pg.Client({ connectionString: dsn });
    await admin.connect();
    await admin.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x' CONNECTION LIMIT 3 VALID UNTIL 'infinity';
       GRANT pg_monitor, pg_read_all_data TO ${role};
       ALTER DATABASE "${database.name}" CONNECTION LIMIT 42`,
    );
    drop = database.drop;
    snapshot = await collect(dsn);
  });

  afterAll(async () => {
    await admin?.query(`DROP SUBSCRIPTION geheim; DROP ROLE ${role}`);
    await admin?.end();
    await drop?.();
  });

  it('reads roles, databases, tablespaces, replication, triggers, extensions, files', () => {
    const { instance } = snapshot;
    expect(instance?.roles.find(({ name }) => name === role)).toMatchObject({
      is_superuser: false,
      can_login: true,
      connection_limit: 3,
      valid_until: null,
    });
    expect(instance?.roles.some(({ is_superuser }) => is_superuser)).toBe(true);
    const database = instance?.databases.find(({ name }) => name === snapshot.server.database);
    expect(database).toMatchObject({ connection_limit: 42, encoding: 'UTF8' });
    expect(instance?.tablespaces.filter(({ is_default }) => is_default)).toMatchObject([
      { name: 'pg_default', options: {} },
    ]);
    expect(instance?.collations).toMatchObject([{ schema: 'pg_catalog', name: 'C', is_deterministic: true }]);
    const parent = snapshot.tables.find(({ name }) => name === 'parent');
    expect(parent).toMatchObject({ replica_identity: 'f', tablespace: null });
    expect(instance?.publications).toMatchObject([
      {
        name: 'Ö',
        inserts: true,
        updates: true,
        deletes: false,
        table_oids: expect.arrayContaining([parent?.oid]),
      },
    ]);
    expect(instance?.subscriptions).toMatchObject([
      { name: 'geheim', enabled: false, slot_name: null, apply_error_count: major >= 15 ? 0 : null },
    ]);
    const off = { on_insert: false, on_update: false, on_truncate: false, on_delete: false };
    expect(instance?.triggers).toMatchObject([
      {
        ...off,
        name: 'fires',
        enabled: 'O',
        for_each_row: true,
        is_before: true,
        on_insert: true,
        on_update: true,
      },
      { ...off, name: 'sleeps', enabled: 'D', for_each_row: false, is_before: false, on_truncate: true },
    ]);
    expect(instance?.extensions.map(({ name }) => name)).toContain('pg_trgm');
    expect(instance?.definer_functions).toMatchObject([
      {
        name: 'f',
        sets_search_path: false,
        owner_is_superuser: true,
        public_may_execute: true,
        is_parsed_early: false,
      },
      { name: 'g', sets_search_path: true },
    ]);
    expect(instance?.file_settings?.length).toBeGreaterThan(0);
    expect(instance?.wal_directory).toMatchObject({ archive_ready: 0 });
    expect(snapshot.server.extension_schemas).toMatchObject({ pg_trgm: 'Meß', plpgsql: 'pg_catalog' });
    expect(snapshot.schema.range_types).toMatchObject([
      { name: 'span', subtype_diff: 'pg_catalog.float8mi' },
    ]);
    expect(JSON.stringify(snapshot)).not.toContain('geheim2');
  });

  it('reads statistics of the tree under a parent, of ranges from 17 on, and n_distinct that was set', () => {
    const column = (table: string, name: string) =>
      snapshot.columns.find((each) => each.table === table && each.name === name);
    expect(column('parent', 'k')).toMatchObject({
      options: { n_distinct: '-0.5', n_distinct_inherited: '7' },
      stats: { inherited: false, n_distinct: -0.5 },
      tree_stats: { inherited: true, n_distinct: 7 },
    });
    expect(column('child', 'k')?.tree_stats).toBeUndefined();
    const range = column('parent', 'r')?.stats;
    if (major < 17) expect(range?.range_bounds_histogram).toBeUndefined();
    else {
      expect(range).toMatchObject({ range_empty_frac: 0 });
      expect(range?.range_bounds_histogram).toContain('[1,11)');
    }
  });

  it('a monitoring role sees the same but for the files, and no refusal comes of it', async () => {
    const seen = await collect(asRole(dsn, role, 'x'));
    expect(seen.limits.map(({ code }) => code)).toEqual([]);
    const { wal_directory, ...facts } = seen.instance ?? {};
    expect({ ...facts, wal_directory: null }).toEqual({
      ...snapshot.instance,
      file_settings: null,
      wal_directory: null,
    });
    // Other tests write WAL meanwhile.
    expect(wal_directory?.files).toBeGreaterThan(0);
    expect(wal_directory?.bytes).toBeGreaterThanOrEqual(16 * 1024 ** 2);
  });

  it('a stripped file holds neither names of roles and subscriptions nor values of trees', async () => {
    const { columns, instance } = (await stripLiterals(snapshot, null)).snapshot;
    expect(instance?.roles.map(({ name }) => name)).not.toContain(role);
    expect(JSON.stringify(instance)).not.toMatch(/geheim|postgresql\.conf/);
    const trees = columns.flatMap(({ tree_stats }) => tree_stats ?? []);
    expect(trees.map(({ n_distinct }) => n_distinct)).toContain(7);
    expect(JSON.stringify(columns)).not.toContain('[1,11)');
    expect(
      trees.filter(({ histogram_bounds, most_common_vals }) => histogram_bounds ?? most_common_vals),
    ).toEqual([]);
  });
});
