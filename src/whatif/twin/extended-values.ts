/** A multivariate list of common values (pg_mcv_list), made by ANALYZE of a scratch table and given its frequencies. */
import type pg from 'pg';
import { type ExtendedStatistics, quoteIdentifier } from '../../domain/index.ts';

/** What pg_stats_ext says: rows of values, each with its frequency and that if its columns were independent. */
export interface CommonValues {
  values: (string | null)[][];
  freqs: number[];
  base_freqs: number[];
}

const SCRATCH = 'pg_temp.pgluthier_values';
/** STATS_MCVLIST_MAX_ITEMS, and the largest statistics target. */
const MOST_ITEMS = 10_000;

/**
 * Bytes of the list. statext_mcv_serialize() puts the items last, each `bool isnull[n]; double frequency,
 * base_frequency; uint16 index[n]`: the frequencies are overwritten there. ANALYZE keeps every combination of a table
 * that it read whole (get_mincount_for_mcv_list() is 0 then).
 * @param owner makes and reads the scratch table: values of the target meet no superuser's rights.
 * @param types of the columns, then of the expressions.
 */
export async function commonValues(
  { admin, owner }: { admin: pg.Client; owner: pg.Client },
  item: ExtendedStatistics,
  types: readonly number[],
  given: CommonValues,
): Promise<Buffer> {
  const columns = types.map((_, place) => quoteIdentifier(`c${place}`));
  const names = await typeNames(admin, types);
  try {
    await owner.query(
      `CREATE TEMP TABLE pgluthier_values (${columns.map((column, place) => `${column} ${names[place]}`).join(', ')})`,
    );
    await owner.query(
      `INSERT INTO ${SCRATCH} SELECT ${columns.map((column, place) => `${column}::${names[place]}`).join(', ')}
       FROM unnest(${columns.map((_, place) => `$${place + 1}::text[]`).join(', ')}) AS given (${columns.join(', ')})`,
      columns.map((_, place) => given.values.map((row) => row[place] ?? null)),
    );
    await owner.query(
      `CREATE STATISTICS pg_temp.pgluthier_list (mcv) ON ${columns.join(', ')} FROM ${SCRATCH};
       ALTER STATISTICS pg_temp.pgluthier_list SET STATISTICS ${MOST_ITEMS};
       ANALYZE ${SCRATCH}`,
    );
    // As the list's own output writes them: format() calls the type's output function, a cast to text may not.
    const { rows: made } = await owner.query<{ values: string[]; nulls: boolean[] }>(
      `SELECT ARRAY[${columns.map((column) => `format('%s', ${column})`).join(', ')}] AS values,
         ARRAY[${columns.map((column) => `${column} IS NULL`).join(', ')}] AS nulls FROM ${SCRATCH} ORDER BY ctid`,
    );
    const { rows: oids } = await owner.query<{ oid: number }>(
      `SELECT oid::int4 AS oid FROM pg_statistic_ext WHERE stxrelid = '${SCRATCH}'::regclass`,
    );
    const oid = oids[0]?.oid ?? 0;
    const { rows: lists } = await admin.query<{ bytes: Buffer | null }>(
      'SELECT stxdmcv::bytea AS bytes FROM pg_statistic_ext_data WHERE stxoid = $1',
      [oid],
    );
    const bytes = lists[0]?.bytes;
    if (!bytes) throw new Error('ANALYZE made no list of common values');
    const { rows: items } = await admin.query<{ values: (string | null)[]; nulls: boolean[] }>(
      'SELECT i.values, i.nulls FROM pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) AS i WHERE stxoid = $1 ORDER BY i.index',
      [oid],
    );
    const keyOf = (row: { values: (string | null)[]; nulls: boolean[] }) =>
      JSON.stringify(row.values.map((value, place) => (row.nulls[place] ? null : value)));
    const places = new Map(made.map((row, place) => [keyOf(row), place]));
    return withFrequencies(
      bytes,
      types.length,
      items.map((each) => {
        const place = places.get(keyOf(each));
        if (place === undefined) throw new Error(`a value of ${item.name} does not read back`);
        return { frequency: given.freqs[place] ?? 0, base: given.base_freqs[place] ?? 0 };
      }),
    );
  } finally {
    await owner.query(`DROP TABLE IF EXISTS ${SCRATCH}`);
  }
}

/** A copy with the items' frequencies replaced, in the list's order. */
function withFrequencies(
  bytes: Buffer,
  dimensions: number,
  items: readonly { frequency: number; base: number }[],
): Buffer {
  const itemBytes = dimensions * 3 + 16;
  const copy = Buffer.from(bytes);
  if (copy.readUInt32LE(8) !== items.length)
    throw new Error('the list of common values is not as long as its items');
  items.forEach(({ frequency, base }, place) => {
    const start = copy.length - (items.length - place) * itemBytes + dimensions;
    copy.writeDoubleLE(frequency, start);
    copy.writeDoubleLE(base, start + 8);
  });
  return copy;
}

/** Names of types as SQL, a domain's base in its place: what is kept is checked by no domain. */
async function typeNames(admin: pg.Client, types: readonly number[]): Promise<string[]> {
  const { rows } = await admin.query<{ asked: number; name: string }>(
    `WITH RECURSIVE base AS (
       SELECT asked, asked AS typ, -1 AS typmod FROM unnest($1::oid[]) AS asked
       UNION ALL SELECT base.asked, t.typbasetype, t.typtypmod FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype = 'd'
     ) SELECT asked::int4 AS asked, format_type(typ, typmod) AS name FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype <> 'd'`,
    [[...new Set(types)]],
  );
  const names = new Map(rows.map((row) => [row.asked, row.name]));
  return types.map((type) => {
    const name = names.get(type);
    if (name === undefined) throw new Error('a type is not in the twin');
    return name;
  });
}
