/** Databases of many small tables, for the twin's boot; their snapshots are collected from real servers. */
import pg from 'pg';
import { collectSnapshot } from '../src/collect/index.ts';
import type { Snapshot } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';

const TYPES = ['int', 'text', 'timestamptz', 'numeric'];
const COLUMNS = 12;

/** Tables t0, t1, … of 12 columns and 30 rows, each with `indexes` besides its primary key. */
export async function manyTables(tables: number, indexes: number): Promise<Snapshot> {
  const server = await startEmbedded({
    major: 18,
    name: 'bench-boot',
    settings: { autovacuum: 'off', max_wal_size: '4GB', max_locks_per_transaction: '1024' },
  });
  try {
    const client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
    for (let table = 0; table < tables; table += 1) await client.query(tableSql(table, indexes));
    await client.query('ANALYZE');
    await client.end();
    const session = await openTarget(server.dsn(), { applicationName: 'pgluthier-bench', readOnly: true });
    return await collectSnapshot(session).finally(() => session.close());
  } finally {
    await server.stop('immediate');
  }
}

function tableSql(table: number, indexes: number): string {
  const columns = Array.from(
    { length: COLUMNS },
    (_, column) => `c${column} ${TYPES[column % TYPES.length]}`,
  );
  const values = ['g', 'g::text', 'now()', 'g % 10'];
  const row = columns.map((_, column) => values[column % values.length]);
  const made = Array.from({ length: indexes }, (_, index) => {
    const second = (index * 5 + 1) % COLUMNS;
    const first = index % COLUMNS;
    const keys = index < COLUMNS || second === first ? `c${first}` : `c${first}, c${second}`;
    return `CREATE INDEX t${table}_i${index} ON t${table} (${keys})`;
  });
  return [
    `CREATE TABLE t${table} (id int PRIMARY KEY, ${columns.join(', ')})`,
    `INSERT INTO t${table} SELECT g, ${row.join(', ')} FROM generate_series(1, 30) AS g`,
    ...made,
  ].join(';');
}
