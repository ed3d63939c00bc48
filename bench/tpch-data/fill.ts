/** Fills an empty database with TPC-H's tables, their keys built, nothing vacuumed or analysed yet. */
import pg from 'pg';
import { letters, sentences } from './pool.ts';
import { independentTables, orderTables, POOL_BYTES, type TpchTable } from './tables.ts';

async function fillTables(
  dsn: string,
  tables: readonly TpchTable[],
  pools: readonly Buffer[],
): Promise<void> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    // Draws are function calls without end; compiled they are no faster than their compilation is slow.
    await client.query(`SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'; SET jit = off`);
    for (const { name, ddl, key, fill } of tables) {
      await client.query('BEGIN');
      await client.query(`CREATE TABLE public.${name} (${ddl})`);
      // A statement may not be given more parameters than it has.
      const used = ['$1', '$2'].map((mark) => fill.includes(mark));
      const values = used[1] ? pools : pools.slice(0, 1);
      await client.query(`INSERT INTO public.${name} ${fill}`, [...values]);
      await client.query(`ALTER TABLE public.${name} ADD PRIMARY KEY (${key})`);
      await client.query('COMMIT');
    }
  } finally {
    await client.end();
  }
}

/**
 * Two sessions: orders and their lines take most of the time.
 * @param scale the specification's scale factor; 1 is 6 million lines and 1.3 GB.
 */
export async function fillTpch(dsn: string, scale: number): Promise<void> {
  const pools = [sentences(POOL_BYTES.sentences), letters(POOL_BYTES.letters)];
  await Promise.all([
    fillTables(dsn, orderTables(scale), pools),
    fillTables(dsn, independentTables(scale), pools),
  ]);
}
