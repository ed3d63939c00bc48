/** A database on a server whose autovacuum comes each second, with tables to churn. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Change, RuleContext, Snapshot, TableRow } from '../../../../src/domain/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { apply, rows } from '../../../apply/target.ts';
import { testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from '../index/context.ts';

/** Rows of a table that `makeTable` makes. */
export const ROWS = 100_000;
/** The looks that autovacuum is reckoned with: a stock server's; the test's own come each second. */
const NAPTIME = '60';

/** As if the two snapshots had been an hour apart, whatever the machine took. */
export function hour(before: Snapshot, after: Snapshot): RuleContext {
  const settings = after.settings.map((row) =>
    row.name === 'autovacuum_naptime' ? { ...row, setting: NAPTIME } : row,
  );
  return contextOf({ ...after, settings }, { window: { ...diffSnapshots(before, after), seconds: 3600 } });
}

export function rowOf({ tables }: Snapshot, name: string): TableRow {
  const row = tables.find((item) => item.name === name);
  if (!row) throw new Error(`no table ${name}`);
  return row;
}
export const deadShare = (row: TableRow) => row.n_dead_tup / (row.n_live_tup + row.n_dead_tup);

type Counted = Pick<TableRow, 'autovacuum_count' | 'n_dead_tup'>;

export interface Churning {
  database: SampleDatabase;
  /** One statement, whose counts are with the server before it ends. */
  counted(sql: string): Promise<unknown>;
  /** Waits for what autovacuum does in its own time. */
  until(name: string, holds: (row: Counted) => boolean): Promise<TableRow>;
  /** A round of autovacuum that began after all that was counted so far. */
  round(): Promise<void>;
  makeTable(name: string): Promise<void>;
  /** Updates `count` rows from `from` on. */
  churn(name: string, from: number, count: number): Promise<unknown>;
  /** By the applier, as a service would. */
  applied(change: Change | undefined): Promise<void>;
}

export async function churningDatabase(major: number): Promise<Churning> {
  const database = await sampleDatabase(
    'SELECT 1',
    await testServer({
      major,
      settings: { autovacuum_naptime: '1s', max_prepared_transactions: '5', wal_level: 'logical' },
    }),
  );
  const counted = (sql: string) => database.query(`${sql}; SELECT pg_stat_force_next_flush()`);
  const until = async (name: string, holds: (row: Counted) => boolean) => {
    for (;;) {
      // A snapshot for each look would be dear.
      const [counts] = await rows<Counted>(
        database.dsn,
        'SELECT autovacuum_count::int, n_dead_tup::int FROM pg_stat_user_tables WHERE relname = $1',
        [name],
      );
      if (counts && holds(counts)) {
        const row = rowOf(await database.snapshot(), name);
        if (holds(row)) return row;
      }
      await sleep(100);
    }
  };
  let rounds = 0;
  return {
    database,
    counted,
    until,
    async round() {
      rounds += 1;
      const name = `round_${rounds}`;
      await counted(`CREATE TABLE ${name} (a int); INSERT INTO ${name} SELECT generate_series(1, 500)`);
      await counted(`DELETE FROM ${name}`);
      await until(name, (row) => row.autovacuum_count > 0);
    },
    async makeTable(name) {
      await counted(
        `CREATE TABLE ${name} (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_analyze_threshold = 2000000000);
         INSERT INTO ${name} SELECT g, 0, repeat('x', 40) FROM generate_series(1, ${ROWS}) g`,
      );
      await database.query(`VACUUM ANALYZE ${name}`);
    },
    churn: (name, from, count) =>
      counted(`UPDATE ${name} SET n = n + 1 WHERE id > ${from} AND id <= ${from + count}`),
    async applied(change) {
      if (!change) throw new Error('no change');
      const { outcome } = await apply(database.dsn, change);
      expect(outcome).toMatchObject({ outcome: 'applied' });
    },
  };
}
