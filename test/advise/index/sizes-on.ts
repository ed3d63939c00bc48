/** Sizes that the model says of a database's indexes, and those that the server builds. */
import pg from 'pg';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import type { Bound } from '../../../src/advise/index-advisor/column-facts.ts';
import { indexSize } from '../../../src/advise/index-advisor/size-model.ts';
import { rangeOf } from '../../../src/advise/index-advisor/size-range.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import { type IndexDefinition, renderIndexDefinition } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { testServer } from '../../support/servers.ts';

/** What an index's condition says of a column's nulls, and nothing else. */
export interface Presence {
  column: string;
  is_null: boolean;
}

export interface SizesOn {
  client: pg.Client;
  /** Pages that the model says, of the share of the rows that the condition really keeps. */
  said(definition: IndexDefinition, options?: { bound?: Bound; presence?: Presence }): Promise<number>;
  /** Least and most pages that are said to be possible. */
  range(definition: IndexDefinition, presence?: Presence): Promise<{ least: number; most: number }>;
  /** Pages of the index built for real, which is gone afterwards. */
  real(definition: IndexDefinition): Promise<number>;
  close(): Promise<void>;
}

/** A database with these tables, analysed and collected. */
export async function sizesOn(major: number, sql: string): Promise<SizesOn> {
  const server = await testServer({ major });
  const database = await server.createDatabase({ sql });
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  const { rows: tables } = await client.query(
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
  );
  for (const { relname } of tables) await client.query(`VACUUM ANALYZE ${relname}`);
  const session = await openTarget(database.dsn, { applicationName: 'pgluthier-test', readOnly: true });
  const snapshot = await collectSnapshot(session).finally(() => session.close());
  const catalog = [...advisorCatalog(snapshot).tables.values()];
  const inputOf = async (definition: IndexDefinition, presence?: Presence) => {
    const table = catalog.find(({ row }) => row.name === definition.table && row.schema === 'public');
    if (table === undefined) throw new Error(`${definition.table} was not collected`);
    const { where } = definition;
    const kept = `count(*) FILTER (WHERE ${where ?? 'true'})::float8 / count(*)`;
    const { rows } = await client.query(`SELECT ${kept} AS share FROM ${definition.table}`);
    const selectivity: number = rows[0].share;
    const conditions =
      where === null
        ? []
        : [{ sql: where, share: selectivity, is_lasting: true, ...(presence ? { presence } : {}) }];
    const { extended_statistics: statistics } = snapshot.schema;
    return { definition, table, selectivity, conditions, statistics };
  };
  return {
    client,
    said: async (definition, { bound, presence } = {}) =>
      indexSize({ ...(await inputOf(definition, presence)), bound }).pages,
    range: async (definition, presence) => {
      const input = await inputOf(definition, presence);
      const { pages } = indexSize(input);
      const { least, most } = rangeOf(input);
      return { least: least * pages, most: most * pages };
    },
    real: async (definition) => {
      await client.query(renderIndexDefinition({ ...definition, name: 'measured' }));
      const { rows } = await client.query("SELECT (pg_relation_size('measured') / 8192)::int AS pages");
      await client.query('DROP INDEX measured');
      return rows[0].pages;
    },
    close: async () => {
      await client.end();
      await database.drop();
    },
  };
}
