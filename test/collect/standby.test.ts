/** A primary and its standby: what each shows of itself and of the other, and what a failover looks like from outside. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectFastSnapshot } from '../../src/collect/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { sqlPath } from '../../src/package-root.ts';
import { diagnoseTarget, openTarget } from '../../src/target/index.ts';
import { asRole } from '../target/as-role.ts';
import { collectWatched } from './watched.ts';

/** The ends of the range: views of replication differ between them. */
const majors = [Math.min(...availableMajors()), Math.max(...availableMajors())];

const SCHEMA = `
CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE UNLOGGED TABLE u (id serial PRIMARY KEY);
INSERT INTO t (v) SELECT 'v' || g % 10 FROM generate_series(1, 1000) AS g; CREATE INDEX by_v ON t (v);
SELECT pg_create_physical_replication_slot('of_standby');
ANALYZE;
`;

describe.each(majors)('PostgreSQL %i', (major) => {
  let place: string;
  let primary: EmbeddedServer;
  let standby: EmbeddedServer;
  const collector = (server: EmbeddedServer) => asRole(server.dsn(), 'pgluthier_collector', 'x');

  async function run(server: EmbeddedServer, sql: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'pgluthier-standby-'));
    await chmod(place, 0o755);
    const settings = { shared_preload_libraries: 'pg_stat_statements', wal_level: 'replica' };
    primary = await startEmbedded({ major, settings, dataDirectory: join(place, 'primary') });
    await run(primary, SCHEMA);
    await run(primary, await readFile(sqlPath('roles', 'collector.sql'), 'utf8'));
    const copy = join(place, 'standby');
    // Cold: a server that was shut down in order is consistent as it lies there.
    await primary.restart(async () => {
      execFileSync('cp', ['-a', primary.dataDirectory, copy]);
      const { uid, gid } = await stat(primary.dataDirectory);
      await writeFile(join(copy, 'standby.signal'), '');
      await chown(join(copy, 'standby.signal'), uid, gid);
    });
    standby = await startEmbedded({
      major,
      dataDirectory: copy,
      settings: {
        ...settings,
        primary_conninfo: `host=${primary.socketDirectory} port=${primary.port} user=postgres application_name=the_standby`,
        primary_slot_name: 'of_standby',
        hot_standby_feedback: 'on',
      },
    });
    for (;;) {
      const { rows } = await run(primary, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'");
      if (rows.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await run(primary, 'CREATE TABLE later AS SELECT g FROM generate_series(1, 100) AS g');
    await run(primary, 'DELETE FROM later WHERE g > 90; ANALYZE later');
    for (;;) {
      const { rows } = await run(standby, "SELECT 1 FROM pg_stats WHERE tablename = 'later'");
      if (rows.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  afterAll(async () => {
    await standby?.stop();
    await primary?.stop();
    await rm(place, { recursive: true, force: true });
  });

  it('the primary sees its standby as a sender and a slot', async () => {
    const { replication, limits } = await collectWatched(collector(primary));
    expect(limits).toEqual([]);
    expect(replication.receiver).toBeNull();
    expect(replication.senders).toMatchObject([{ application_name: 'the_standby', state: 'streaming' }]);
    expect(replication.slots).toMatchObject([{ name: 'of_standby', slot_type: 'physical', active: true }]);
  });

  it('the standby is collected from with the least role, and says what it cannot show', async () => {
    for (let i = 0; i < 3; i += 1)
      await run(standby, "SET enable_seqscan = off; SELECT id FROM t WHERE v = 'v1'");
    const here = await collectWatched(collector(standby));
    expect(here.limits.map((limit) => `${limit.scope} ${limit.code}`)).toEqual([
      'server standby',
      // Before 15 a sequence was logged even where its table was not.
      ...(major >= 15 ? ['sequences sequence_values_unlogged'] : []),
    ]);
    expect(here.server.in_recovery).toBe(true);
    expect(here.replication.receiver).toMatchObject({ status: 'streaming', slot_name: 'of_standby' });
    expect(here.replication.senders).toEqual([]);
    const there = await collectWatched(collector(primary));
    // The same server by its identifier, another process; counters are each one's own.
    expect(here.server.system_identifier).not.toBeNull();
    expect(here.server.system_identifier).toBe(there.server.system_identifier);
    expect(here.server.started_at).not.toBe(there.server.started_at);
    const scans = (snapshot: typeof here) => snapshot.indexes.find((row) => row.name === 'by_v')?.idx_scan;
    expect([scans(here), scans(there)]).toEqual([3, 0]);
    // Catalogs come over with the log, counters do not.
    const table = (snapshot: typeof here) => snapshot.tables.find((row) => row.name === 'later');
    expect(table(there)).toMatchObject({ reltuples: 90, last_analyze: expect.any(String) });
    expect(table(here)).toMatchObject({ reltuples: 90, n_tup_ins: 0, n_tup_del: 0, last_analyze: null });
    expect(here.columns.find((row) => row.name === 'v')?.stats?.n_distinct).toBe(10);
    expect(here.schema.sequences.map((row) => [row.name, row.last_value === null])).toEqual([
      ['t_id_seq', false],
      ['u_id_seq', true],
    ]);
    const session = await openTarget(collector(standby), {
      applicationName: 'pgluthier:test',
      readOnly: true,
    });
    const fast = await collectFastSnapshot(session, { known_statements: new Set() });
    await session.close();
    expect(fast.limits.map((limit) => limit.code)).toEqual(['standby']);
    const diagnosis = await diagnoseTarget(collector(standby));
    expect(diagnosis.checks.find((check) => check.id === 'primary')?.ok).toBe(false);
    expect(diagnosis.limits.map((limit) => limit.code)).toEqual(['standby']);
  });

  it('after a failover the address answers as the same server, started at another time, and no standby any more', async () => {
    const before = await collectWatched(collector(primary));
    await primary.stop();
    await run(standby, 'SELECT pg_promote()');
    const after = await collectWatched(collector(standby));
    expect(after.limits).toEqual([]);
    expect(after.server.in_recovery).toBe(false);
    expect(after.server.system_identifier).toBe(before.server.system_identifier);
    expect(after.server.started_at).not.toBe(before.server.started_at);
  });
});
