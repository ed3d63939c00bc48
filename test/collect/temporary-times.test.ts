/** What temporary files took, as it is timed, on servers: null where it is not, and what the advice makes of it. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rule as workMem } from '../../src/advise/rules/settings/work-mem.ts';
import { spillsByRole, spillsOf } from '../../src/advise/settings/spills.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot, StatementRow } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { diffSnapshots, workloadFromSnapshot, workloadFromWindow } from '../../src/workload/index.ts';
import { testServer } from '../support/servers.ts';
import { contextOf, GB } from '../support/snapshot-builder.ts';

const SORT = 'SELECT id, note FROM big ORDER BY note OFFSET 29999';
const LOOK_UP = 'SELECT count(*) FROM big WHERE id = 7';

// pg_stat_statements 1.9, 1.10, 1.11 and 1.12.
describe.each([14, 15, 17, 18])('PostgreSQL %i', (major) => {
  let admin: pg.Client;
  let dsn: string;
  let name: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const server = await testServer({ major });
    ({ dsn, name, drop } = await server.createDatabase({
      sql: `CREATE EXTENSION pg_stat_statements; CREATE TABLE big (id int PRIMARY KEY, note text);
        INSERT INTO big SELECT g, md5(g::text) || repeat('x', 100) FROM generate_series(1, 30000) AS g; ANALYZE big;`,
    }));
    admin = new pg.Client({ connectionString: dsn });
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await drop?.();
  });

  async function look(): Promise<Snapshot> {
    const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
    return collectSnapshot(session, {
      host_overrides: { ram_bytes: 64 * GB, cpu_count: 4, disk_type: 'hdd' },
    }).finally(() => session.close());
  }
  /** In a session of its own, which has what the database gives it. */
  async function run(...statements: string[]) {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    for (const sql of statements) await client.query(sql);
    await client.end();
  }
  const timing = (value: 'on' | 'off') =>
    admin.query(`ALTER DATABASE "${name}" SET track_io_timing = ${value}`);
  const rowOf = ({ statements }: Pick<Snapshot, 'statements'>, part: string): StatementRow => {
    const row = statements.find(({ query }) => query?.includes(part));
    if (!row) throw new Error(`no statement with ${part}`);
    return row;
  };
  const times = ({ temp_blk_read_time_ms: read, temp_blk_write_time_ms: write }: Partial<StatementRow>) => [
    read,
    write,
  ];
  const positive = expect.toSatisfy((value) => value > 0);

  it('is nothing where nobody timed it, and after the timing was turned on what was timed', async () => {
    await timing('off');
    await run(SORT, LOOK_UP);
    const untimed = await look();
    expect(rowOf(untimed, 'ORDER BY note').temp_blks_written).toBeGreaterThan(100);
    expect(times(rowOf(untimed, 'ORDER BY note'))).toEqual([null, null]);
    expect(times(rowOf(untimed, 'WHERE id'))).toEqual([null, null]);

    await timing('on');
    const on = await look();
    const timed = major >= 15;
    // Its blocks are of before; a statement without any has taken no time.
    expect(times(rowOf(on, 'ORDER BY note'))).toEqual([null, null]);
    expect(times(rowOf(on, 'WHERE id'))).toEqual(timed ? [0, 0] : [null, null]);

    await run(SORT);
    const first = await look();
    expect(times(rowOf(first, 'ORDER BY note'))).toEqual(timed ? [positive, positive] : [null, null]);
    const window = diffSnapshots(on, first);
    // Some of the blocks between are not timed for all that is known.
    expect(times(window?.statements.find(({ query }) => query?.includes('ORDER BY note')) ?? {})).toEqual([
      null,
      null,
    ]);

    await run(SORT, SORT);
    const last = await look();
    const between = diffSnapshots(first, last);
    if (!between) throw new Error('no window');
    const delta = between.statements.find(({ query }) => query?.includes('ORDER BY note'));
    expect(times(delta ?? {})).toEqual(timed ? [positive, positive] : [null, null]);
    const workload = await workloadFromWindow(between, last);
    const query = workload.queries.find(({ query: text }) => text.includes('ORDER BY note'));
    expect(query?.temp_io_time_ms ?? null).toEqual(timed ? positive : null);
    if (timed) expect(query?.temp_io_time_ms).toBeLessThan(query?.total_exec_time_ms ?? 0);

    // On a disk that is told to be slow, files of 5 MB would be a tenth of the time; they were not where it was timed.
    const context = contextOf(last, { window: between, workload });
    const spills = spillsOf(context);
    const byRole = spillsByRole(context).spilling;
    const share = (query?.temp_io_time_ms ?? 0) / (query?.total_exec_time_ms ?? 1);
    if (timed && share < 0.1) {
      expect([spills, byRole]).toEqual([[], []]);
      const { rejections } = await workMem.evaluate(context);
      expect(rejections).toMatchObject([{ code: 'spills_cost_little' }]);
      expect(rejections[0]?.reason).toContain('as it was timed');
    } else {
      const level = timed ? 'measured' : 'estimated';
      expect(spills).toMatchObject([{ level }]);
      expect(byRole).toMatchObject([{ statements: [{ level }] }]);
    }
    // Since the reset a part was timed and a part was not: the workload of counters alone has what it has.
    const all = await workloadFromSnapshot(last);
    expect(all.queries.find(({ query: text }) => text.includes('ORDER BY note'))?.temp_io_time_ms).toEqual(
      timed ? positive : null,
    );
  });
});
