import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectFastSnapshot, collectSnapshot } from '../../src/collect/index.ts';
import { composeSnapshot, fastPart, statementKey } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTarget, type TargetSession } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;
const NOTHING: ReadonlySet<string> = new Set();

describe.each(majors)('PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  let client: pg.Client;
  const roles: string[] = [];

  async function inSession<T>(
    work: (session: TargetSession, sent: string[]) => Promise<T>,
    as?: string,
  ): Promise<T> {
    const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const sent: string[] = [];
    const recording: TargetSession = {
      ...session,
      ...(as === undefined ? {} : { role: as }),
      query: <R extends object>(sql: string, parameters?: unknown[]) => {
        sent.push(sql);
        return session.query<R>(sql, parameters);
      },
    };
    try {
      if (as !== undefined) await session.query(`SET ROLE "${as}"`);
      return await work(recording, sent);
    } finally {
      await session.close();
    }
  }
  const readsTexts = (sent: string[]) => sent.some((sql) => sql.includes('pg_stat_statements(true)'));

  /** What this backend has counted is in the shared statistics when its report is acknowledged; then all is quiet. */
  async function settle(): Promise<void> {
    if (major >= 15) await client.query('SELECT pg_stat_force_next_flush()');
    await client.end();
    client = new pg.Client({ connectionString: dsn });
    await client.connect();
    if (major < 15) await new Promise((resolve) => setTimeout(resolve, 1_500));
  }

  beforeAll(async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({
      sql: `CREATE EXTENSION pg_stat_statements;
        CREATE TABLE plain (id int PRIMARY KEY, v text); CREATE INDEX ON plain (v);
        CREATE TABLE without_index (v int); CREATE TABLE "Größe ""x""" (id int);
        CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        CREATE INDEX ON parted (id); CREATE MATERIALIZED VIEW matview AS SELECT 1 AS one;
        INSERT INTO plain SELECT g, repeat('v', 3000) || g FROM generate_series(1, 500) g;
        INSERT INTO parted SELECT g, '2026-05-01' FROM generate_series(1, 500) g;
        INSERT INTO without_index SELECT generate_series(1, 10);`,
    });
    dsn = database.dsn;
    drop = database.drop;
    client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await client.query('VACUUM ANALYZE');
    await client.query('UPDATE plain SET v = v WHERE id < 50');
    await client.query('DELETE FROM parted WHERE id < 30');
    for (let id = 60; id < 70; id += 1) await client.query('SELECT v FROM plain WHERE id = $1', [id]);
    await client.query('SELECT count(*) FROM without_index');
  });
  afterAll(async () => {
    for (const role of roles) {
      await client.query(`DROP OWNED BY "${role}"`).catch(() => {});
      await client.query(`DROP ROLE "${role}"`).catch(() => {});
    }
    await client?.end();
    await drop?.();
  });

  it('counts what a full snapshot counts, relation by relation', async () => {
    await settle();
    const { full, fast } = await inSession(async (session) => ({
      full: await collectSnapshot(session),
      fast: await collectFastSnapshot(session, { known_statements: NOTHING }),
    }));
    const byOid = (a: { oid: number }, b: { oid: number }) => a.oid - b.oid;
    const expected = fastPart(full);
    expect([...fast.tables].sort(byOid)).toEqual(expected.tables.sort(byOid));
    expect([...fast.indexes].sort(byOid)).toEqual(expected.indexes.sort(byOid));
    const plain = full.tables.find((table) => table.name === 'plain');
    expect(fast.tables.find((table) => table.oid === plain?.oid)).toMatchObject({
      n_tup_upd: 49,
      idx_scan: expect.toSatisfy((count: number) => count >= 10),
    });
    expect(fast.limits).toEqual([]);
    expect(fast.server.database_size_bytes).toBeNull();
    expect(composeSnapshot(full, fast).server.database_size_bytes).toBe(full.server.database_size_bytes);
    expect(full.server.database_size_bytes).toBeGreaterThan(1_000_000);
  });

  it('reads texts only of what is new, and those without secrets', async () => {
    const full = await inSession((session) => collectSnapshot(session));
    const known = new Set(full.statements.map(statementKey));
    // The collector's own statements of the first fast snapshot are new to it; the second knows all.
    const first = await inSession((session) => collectFastSnapshot(session, { known_statements: known }));
    for (const row of first.statements) known.add(statementKey(row));
    const role = `fast_${major}_${process.pid}`;
    const { quiet, quietSent } = await inSession(async (session, sent) => ({
      quiet: await collectFastSnapshot(session, { known_statements: known }),
      quietSent: sent,
    }));
    expect(readsTexts(quietSent)).toBe(false);
    expect(quiet.statements.length).toBeGreaterThan(10);
    expect(quiet.statements.every((row) => row.query === null)).toBe(true);

    await client.query(`CREATE ROLE "${role}" PASSWORD 'hunter2-${role}'`);
    roles.push(role);
    await client.query('SELECT v, id + 17 FROM plain WHERE id = $1', [3]);
    const { fast, sent } = await inSession(async (session, statements) => ({
      fast: await collectFastSnapshot(session, { known_statements: known }),
      sent: statements,
    }));
    expect(readsTexts(sent)).toBe(true);
    const fresh = fast.statements.filter((row) => row.query !== null);
    expect(fresh.map((row) => row.query).join('\n')).toContain('SELECT v, id + $2 FROM plain');
    expect(fresh.map((row) => row.query).join('\n')).toContain(`CREATE ROLE "${role}"`);
    expect(JSON.stringify(fast)).not.toContain('hunter2');
    // With the full one's texts, every statement has its own again.
    const composed = composeSnapshot(full, fast);
    expect(composed.statements.find((row) => row.query?.includes('SELECT v FROM plain'))?.calls).toBe(10);
  });

  it('never reads the file of texts for a role that would not be shown them', async () => {
    const role = `blind_${major}_${process.pid}`;
    await client.query(`CREATE ROLE "${role}"`);
    roles.push(role);
    const known = new Set<string>();
    await inSession(async (session) => {
      const first = await collectFastSnapshot(session, { known_statements: NOTHING });
      for (const row of first.statements) known.add(statementKey(row));
    }, role);
    const { fast, sent } = await inSession(async (session, statements) => {
      // What this role itself has run by now it may see; it is new only once.
      const before = await collectFastSnapshot(session, { known_statements: known });
      for (const row of before.statements) if (row.query !== null) known.add(statementKey(row));
      statements.length = 0;
      return { fast: await collectFastSnapshot(session, { known_statements: known }), sent: statements };
    }, role);
    expect(readsTexts(sent)).toBe(false);
    expect(fast.statements.some((row) => row.queryid === '')).toBe(true);
    expect(fast.limits.map((limit) => limit.code)).toContain('texts_hidden');
  });

  it('does not wait for who holds a table, and keeps its counters', async () => {
    const full = await inSession((session) => collectSnapshot(session));
    await client.query('BEGIN');
    try {
      await client.query('LOCK TABLE plain IN ACCESS EXCLUSIVE MODE');
      const fast = await inSession((session) => collectFastSnapshot(session, { known_statements: NOTHING }));
      expect(fast.limits).toEqual([]);
      const oid = full.tables.find((table) => table.name === 'plain')?.oid;
      expect(fast.tables.find((table) => table.oid === oid)?.n_tup_upd).toBe(49);
    } finally {
      await client.query('ROLLBACK');
    }
  });

  it('tells relations that are gone from those that are new', async () => {
    const full = await inSession((session) => collectSnapshot(session));
    await client.query('DROP TABLE without_index; CREATE TABLE made_since (id int PRIMARY KEY)');
    const fast = await inSession((session) => collectFastSnapshot(session, { known_statements: NOTHING }));
    const composed = composeSnapshot(full, fast);
    const names = composed.tables.map((table) => table.name);
    expect(names).toContain('plain');
    expect(names).not.toContain('without_index');
    expect(composed.limits.map((limit) => limit.code)).toContain('relations_new');
  });

  it('needs the right to run the function that the view stands on', async () => {
    await client.query('REVOKE EXECUTE ON FUNCTION pg_stat_statements(boolean) FROM PUBLIC');
    const role = `bare_${major}_${process.pid}`;
    await client.query(`CREATE ROLE "${role}" IN ROLE pg_monitor`);
    roles.push(role);
    const limitsOf = () =>
      inSession(
        async (session) => (await collectFastSnapshot(session, { known_statements: NOTHING })).limits,
        role,
      );
    const [limit] = (await limitsOf()).filter(({ scope }) => scope === 'statements');
    expect(limit?.code).toBe('pg_stat_statements_not_readable');
    expect(limit?.remedy).toContain('GRANT EXECUTE ON FUNCTION');
    await client.query(limit?.remedy ?? '');
    expect((await limitsOf()).filter(({ scope }) => scope === 'statements')).toEqual([]);
  });
});
