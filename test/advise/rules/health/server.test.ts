/** A real server on which much is wrong, and what the health rules say of it; and one where nothing is. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRules } from '../../../../src/advise/index.ts';
import { draftSchema, type RecommendationDraft, type Snapshot } from '../../../../src/domain/index.ts';
import { testMajors, testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from '../index/context.ts';
import { unknownKeys } from './suppression-keys.ts';

const SETTINGS = {
  wal_level: 'logical',
  max_prepared_transactions: '5',
  max_slot_wal_keep_size: '1MB',
  archive_mode: 'on',
  archive_command: 'false',
  autovacuum_naptime: '1d',
  deadlock_timeout: '100ms',
  enable_nestloop: 'off',
};

const SCHEMA = `
CREATE EXTENSION pg_stat_statements VERSION '1.9';
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, p int REFERENCES parent, n int,
    CONSTRAINT again FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE);
ALTER TABLE child ADD CONSTRAINT later CHECK (n > 0) NOT VALID;
CREATE TABLE ended (id serial PRIMARY KEY, price money, code char(3), doc json, at timestamp);
SELECT setval('ended_id_seq', 2100000000);
CREATE TABLE fed (id int PRIMARY KEY);
CREATE SEQUENCE feed AS bigint OWNED BY fed.id; SELECT setval('feed', 2000000000);
CREATE TABLE "No Key" (v int); CREATE PUBLICATION p FOR TABLE "No Key";
CREATE TABLE loaded (id int PRIMARY KEY, p bigint REFERENCES parent);
ALTER TABLE loaded DISABLE TRIGGER ALL;
CREATE UNLOGGED TABLE cache (id int PRIMARY KEY); INSERT INTO cache VALUES (1);
CREATE TABLE measured (k int NOT NULL, at int NOT NULL, p bigint REFERENCES parent, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM (0) TO (10);
CREATE TABLE measured_2 PARTITION OF measured FOR VALUES FROM (10) TO (20);
CREATE TABLE of_measured (id int PRIMARY KEY, k int, at int, FOREIGN KEY (k, at) REFERENCES measured);
CREATE TABLE hot (id int PRIMARY KEY, v int) WITH (fillfactor = 30); CREATE INDEX hot_v ON hot (v);
INSERT INTO hot SELECT g, g FROM generate_series(1, 110000) AS g; ANALYZE hot; UPDATE hot SET v = v + 1;
CREATE FUNCTION led_astray(a int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN a; END';
CREATE FUNCTION bound() RETURNS bigint LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT count(*) FROM parent; END;
CREATE FUNCTION careful() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
CREATE ROLE second SUPERUSER LOGIN; CREATE ROLE third SUPERUSER LOGIN; CREATE ROLE fourth SUPERUSER LOGIN;
ALTER ROLE second SET enable_hashjoin = off;
SELECT pg_create_physical_replication_slot('gone', true);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET enable_mergejoin = off', current_database()); END $$;
CREATE SCHEMA sent; CREATE TABLE sent.keyless (v int); CREATE PUBLICATION q FOR TABLES IN SCHEMA sent;
CREATE SEQUENCE short AS int MAXVALUE 1000; SELECT setval('short', 950);
CREATE TABLE untended (id int PRIMARY KEY) WITH (autovacuum_enabled = of);
CREATE TABLE readings (id int NOT NULL, at int NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE SEQUENCE reading AS bigint OWNED BY readings.id; SELECT setval('reading', 2000000000);
`;

/** Test servers keep nothing safe on disk, on purpose. */
const NOT_SYNCED = /(fsync|full_page_writes) off$/;

const rules = (await loadRules()).filter(({ area }) => area === 'health');

async function findings(snapshot: Snapshot): Promise<RecommendationDraft[]> {
  const results = await Promise.all(rules.map((rule) => rule.evaluate(contextOf(snapshot))));
  return results.flatMap(({ recommendations }) => recommendations);
}

/** The same as it would be seen so much later: nobody waits for hours in a test. */
function later(snapshot: Snapshot, hours: number): Snapshot {
  return { ...snapshot, taken_at: new Date(Date.parse(snapshot.taken_at) + hours * 3_600_000).toISOString() };
}

async function until(client: pg.Client, sql: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ yes: boolean }>(`SELECT (${sql}) AS yes`);
    if (rows[0]?.yes) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const majors = [...new Set([Math.min(...testMajors), 15, Math.max(...testMajors)])].filter((major) =>
  testMajors.includes(major),
);

describe.each(majors)('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let found: RecommendationDraft[];
  let soon: RecommendationDraft[];
  const clients: pg.Client[] = [];
  const connect = async (application_name: string) => {
    const client = new pg.Client({ connectionString: database.dsn, application_name });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };
  const keys = () => found.map((draft) => `${draft.severity} ${draft.key.replace('finding ', '')}`);
  const one = (key: string) => found.find((draft) => draft.key === `finding ${key}`);

  beforeAll(async () => {
    const server = await testServer({ major, settings: SETTINGS });
    database = await sampleDatabase(SCHEMA, server);
    const [main, holder, waiter] = [
      await connect('main'),
      await connect('forgetful'),
      await connect('patient'),
    ];
    if (major >= 18) {
      await main.query('ALTER TABLE child ADD CONSTRAINT told CHECK (n < 9) NOT ENFORCED');
      await main.query('ALTER TABLE child ADD CONSTRAINT filled NOT NULL n NOT VALID');
    }
    // A deadlock: each holds what the other wants.
    await holder.query('BEGIN; LOCK TABLE parent IN SHARE MODE');
    await waiter.query('BEGIN; LOCK TABLE fed IN SHARE MODE');
    const dead = [holder.query('LOCK TABLE fed'), waiter.query('LOCK TABLE parent')].map((lock) =>
      lock.catch(() => {}),
    );
    await Promise.all(dead);
    await holder.query('ROLLBACK');
    await waiter.query('ROLLBACK');
    // Whoever is idle or waits does not hand over its counts by itself.
    const flush = major >= 15 ? 'SELECT pg_stat_force_next_flush()' : 'SELECT pg_sleep(1)';
    for (const client of [holder, waiter, database]) await client.query(flush);
    await until(main, '(SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database())');
    await until(main, "(SELECT n_tup_upd >= 110000 FROM pg_stat_user_tables WHERE relname = 'hot')");
    await main.query("BEGIN; INSERT INTO parent VALUES (1); PREPARE TRANSACTION 'orphan'");
    for (let turn = 0; turn < 4; turn += 1) {
      await main.query('CREATE TABLE x (); DROP TABLE x');
      await main.query('SELECT pg_switch_wal()');
    }
    await main.query('CHECKPOINT');
    await holder.query('BEGIN; LOCK TABLE cache');
    void waiter.query('SELECT * FROM cache').catch(() => {});
    await until(
      main,
      "EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'patient')",
    );
    await until(main, '(SELECT failed_count > 0 FROM pg_stat_archiver)');
    const snapshot = await database.snapshot();
    soon = await findings(snapshot);
    found = await findings(later(snapshot, 2));
  });
  afterAll(async () => {
    await database?.query("ROLLBACK PREPARED 'orphan'").catch(() => {});
    await database?.query("SELECT pg_drop_replication_slot('gone')");
    await database?.query('DROP ROLE second, third, fourth').catch(() => {});
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
    await database?.close();
  });

  test('finds what was planted, each once, with its severity', () => {
    expect(keys()).toEqual(
      expect.arrayContaining([
        `medium prepared-transaction ${databaseName(database.dsn)} orphan`,
        'high archiver-failing failing',
        'low constraint-not-valid public.child later',
        'low foreign-key-duplicate public.child p',
        'medium foreign-key-type-mismatch public.child.p again',
        'high sequence-exhaustion public.ended_id_seq',
        'high key-exhaustion public.fed.id',
        'high no-primary-key public.No Key',
        'high no-primary-key sent.keyless',
        'high trigger-disabled public.loaded',
        'info unlogged-table public.cache',
        'high definer-search-path public.led_astray(a integer)',
        'info superusers count',
        'medium planner-method-disabled server enable_nestloop',
        'low planner-method-disabled the role second enable_hashjoin',
        'info extension-outdated pg_stat_statements',
        `low planner-method-disabled the database ${databaseName(database.dsn)} enable_mergejoin`,
        'high sequence-exhaustion public.short',
        'low autovacuum_enabled off public.untended',
        'high key-exhaustion public.readings.id',
        ...(major >= 18 ? ['low constraint-not-valid public.child filled'] : []),
        ...['money', 'character', 'json', 'timestamp', 'serial'].map((type) => `info column-types ${type}`),
      ]),
    );
    expect(new Set(keys()).size).toBe(keys().length);
  });

  test('each finding has what a person needs: severity, what was seen and where, a remedy, its page, and the key to dismiss it', () => {
    expect(found.length).toBeGreaterThan(20);
    for (const draft of found) {
      draftSchema.parse(draft);
      expect(draft.change.kind === 'finding' || draft.change.kind === 'analyze', draft.key).toBe(true);
      for (const { source } of draft.evidence) expect(source, draft.key).not.toBe('');
      const page = `docs/health/${draft.rule.replace('health/', '')}.md`;
      const notes = draft.risk.notes.filter((note) => !note.includes('About this check'));
      expect(notes.length, draft.key).toBeGreaterThan(0);
      expect(draft.risk.notes.join(' '), draft.key).toContain(page);
    }
    expect(unknownKeys(found)).toEqual([]);
  });

  test('and not what only looks like it', () => {
    const about = (text: string) => keys().filter((key) => key.includes(text));
    expect(about('bound()')).toEqual([]);
    expect(about('careful()')).toEqual([]);
    expect(about('told')).toEqual([]);
    expect(about('measured')).toEqual([]);
    expect(about('sequence-exhaustion public.feed')).toEqual([]);
    // What this database has for itself is not the server's.
    expect(about('server enable_mergejoin')).toEqual([]);
    expect(keys().filter((key) => key.startsWith('critical') && !NOT_SYNCED.test(key))).toEqual([]);
  });

  test('locks: who idles with one, and who waits behind it', () => {
    const idle = found.find(
      ({ key }) => key.startsWith('finding idle-in-transaction') && key.endsWith('forgetful'),
    );
    expect(idle).toMatchObject({ severity: 'high' });
    const chain = found.find(({ key }) => key.startsWith('finding blocking-chain'));
    expect(chain?.key).toContain('forgetful');
    expect(
      soon.filter(({ rule }) => ['health/idle-in-transaction', 'health/prepared-transaction'].includes(rule)),
    ).toEqual([]);
  });

  test('the slot whose WAL is gone', () => {
    expect(one('replication-slot gone')?.title).toBe('The replication slot gone is lost');
  });

  test('a deadlock of two hours says that its statistics are too young', () => {
    const draft = one('deadlocks database');
    expect(draft).toMatchObject({ severity: 'info', confidence: 0.5 });
    expect(draft?.rationale).toContain('Statistics too young');
  });

  test('updates of an indexed column with room on the page: the index is the reason, from 16 on', () => {
    const draft = one('hot-updates public.hot');
    const notes = draft?.risk.notes.slice(0, -1) ?? [];
    expect(notes).toHaveLength(major >= 16 ? 1 : 2);
    expect(notes.at(-1)).toContain('An indexed column is changed');
    expect(one('autovacuum-behind public.hot')?.severity).toBe('low');
  });

  test('the statements that it names run', async () => {
    const client = await connect('mends');
    const run = async (key: string, mark: string) => {
      const note = one(key)?.risk.notes.find((line) => line.includes(mark)) ?? `no such finding: ${key}`;
      await client.query(note.slice(note.indexOf(mark)));
    };
    // It holds locks that the others need.
    await run(`prepared-transaction ${databaseName(database.dsn)} orphan`, 'ROLLBACK PREPARED');
    await run('constraint-not-valid public.child later', 'ALTER TABLE');
    await run('definer-search-path public.led_astray(a integer)', 'ALTER ROUTINE');
    await run('trigger-disabled public.loaded', 'ALTER TABLE');
    await run('foreign-key-duplicate public.child p', 'ALTER TABLE');
    await run('no-primary-key public.No Key', 'ALTER TABLE public');
    await run('sequence-exhaustion public.ended_id_seq', 'ALTER SEQUENCE');
    await run('sequence-exhaustion public.short', 'ALTER SEQUENCE');
    await run('extension-outdated pg_stat_statements', 'ALTER EXTENSION');
    await run('planner-method-disabled the role second enable_hashjoin', 'ALTER ROLE');
    await run(
      `planner-method-disabled the database ${databaseName(database.dsn)} enable_mergejoin`,
      'ALTER DATABASE',
    );
    await run('autovacuum_enabled off public.untended', 'ALTER TABLE');
    if (major >= 18) await run('constraint-not-valid public.child filled', 'ALTER TABLE');
    await run('autovacuum-behind public.hot', 'VACUUM');
    await run('planner-method-disabled server enable_nestloop', 'SELECT pg_reload_conf()');
    const gone = (await findings(later(await database.snapshot(), 2))).map(({ key }) => key);
    for (const key of [
      'constraint-not-valid',
      'definer-search-path',
      'trigger-disabled',
      'foreign-key-duplicate',
      'extension-outdated',
      'autovacuum-behind',
      'sequence-exhaustion public.short',
      'planner-method-disabled the',
      'autovacuum_enabled off',
    ]) {
      expect(gone.filter((each) => each.startsWith(`finding ${key} `))).toEqual([]);
    }
    expect(gone.filter((key) => key.startsWith('finding no-primary-key'))).toHaveLength(2);
  });

  test('a VACUUM that takes hours is a transaction with an xmin, and holds back nothing', async () => {
    const vacuum = await connect('maintenance');
    const main = await connect('watches');
    await vacuum.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1');
    const { rows } = await vacuum.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = rows[0]?.pid ?? 0;
    const running = vacuum.query('VACUUM hot').catch(() => {});
    await until(
      main,
      `EXISTS (SELECT FROM pg_stat_progress_vacuum JOIN pg_stat_activity USING (pid) WHERE pid = ${pid} AND backend_xmin IS NOT NULL)`,
    );
    const snapshot = await database.snapshot();
    await main.query(`SELECT pg_cancel_backend(${pid})`);
    await running;
    expect(snapshot.activity.vacuums.map((each) => each.pid)).toContain(pid);
    expect(snapshot.activity.xmin_holders.map(({ name }) => name)).not.toContain(String(pid));
    const told = (await findings(later(snapshot, 7))).map(({ key }) => key);
    expect(told.filter((key) => key.includes('maintenance') || key.includes('xmin-horizon session'))).toEqual(
      [],
    );
  });

  test('a sound database of a stock server: versions and a silent log, and nothing else', async () => {
    const sound = await sampleDatabase(
      `CREATE EXTENSION pg_stat_statements;
       CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, v text);
       CREATE TABLE b (id bigint PRIMARY KEY, a bigint REFERENCES a); CREATE INDEX ON b (a);
       INSERT INTO a (v) SELECT g FROM generate_series(1, 5000) g; ANALYZE`,
      await testServer({ major }),
    );
    try {
      const told = (await findings(await sound.snapshot())).map(({ key, rule }) =>
        rule === 'health/server-version' ? rule : key,
      );
      // Other tests of this server may leave roles or transactions behind: those are not this database's.
      const here = told.filter(
        (key) => !/superusers|session|transaction|prepared|chain/.test(key) && !NOT_SYNCED.test(key),
      );
      expect(
        here.filter(
          (key) => !['health/server-version', 'finding logging-and-timeouts logging'].includes(key),
        ),
      ).toEqual([]);
    } finally {
      await sound.close();
    }
  });
});

function databaseName(dsn: string): string {
  return decodeURIComponent(new URL(dsn).pathname.slice(1));
}
