/** What is said of GIN and GiST indexes, kind by kind, what a budget gives them, and what PostgreSQL builds. */
import type pg from 'pg';
import { CandidateSizes } from '../../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../../src/advise/index-advisor/catalog.ts';
import { bytesOf } from '../../src/advise/index-advisor/size-model.ts';
import { rangeOf } from '../../src/advise/index-advisor/size-range.ts';
import { renderIndexDefinition } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { collect } from '../built/index.ts';
import { INVERTED, invertedSql } from './inverted.ts';

const MB = 1024 * 1024;
const SCHEMA = 'inverted';

/** In a schema of its own, which is gone afterwards. */
export async function invertedSizes(
  dsn: string,
  client: pg.Client,
  rows: number,
): Promise<Record<string, unknown>[]> {
  await client.query(`CREATE SCHEMA ${SCHEMA}; SET search_path = ${SCHEMA}, public; ${invertedSql(rows)}`);
  await client.query('VACUUM (ANALYZE)');
  const snapshot = await collect(dsn);
  const catalog = advisorCatalog(snapshot);
  const twin = await openTwin(snapshot);
  const table: Record<string, unknown>[] = [];
  try {
    const sizes = new CandidateSizes(catalog, snapshot, twin);
    for (const each of INVERTED) {
      const definition = { ...each, schema: SCHEMA };
      const found = [...catalog.tables.values()].find(
        ({ row }) => row.schema === SCHEMA && row.name === definition.table,
      );
      if (found === undefined) throw new Error(`${definition.table} was not collected`);
      const candidate = { definition, table: found, selectivity: 1, conditions: [] };
      const { size, reserved_bytes, expressions } = await sizes.sizeInBudget(
        candidate,
        Number.MAX_SAFE_INTEGER,
      );
      const { least, most } = rangeOf({ ...candidate, expressions });
      const statement = renderIndexDefinition(definition);
      await client.query(statement);
      const built = await client.query<{ bytes: number }>(
        `SELECT pg_relation_size('${SCHEMA}.measured')::float8 AS bytes`,
      );
      await client.query(`DROP INDEX ${SCHEMA}.measured`);
      const real = built.rows[0]?.bytes ?? 0;
      const said = bytesOf(size);
      const percent = (bytes: number) => `${Math.round(100 * (bytes / real - 1))} %`;
      table.push({
        index: statement.slice(statement.indexOf(' ON ') + 4 + SCHEMA.length + 1),
        real_mb: Number((real / MB).toFixed(2)),
        said: percent(said),
        reserved: percent(reserved_bytes),
        range: `${((least * said) / real).toFixed(2)} to ${((most * said) / real).toFixed(2)}`,
      });
    }
  } finally {
    await twin.close();
    await client.query(`SET search_path = public; DROP SCHEMA ${SCHEMA} CASCADE`);
  }
  return table;
}
