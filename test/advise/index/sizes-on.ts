/** Sizes that the model says of a database's indexes, and those that the server builds. */
import pg from 'pg';
import { CandidateSizes } from '../../../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import type { Bound } from '../../../src/advise/index-advisor/column-facts.ts';
import { BLOCK_BYTES, indexSize } from '../../../src/advise/index-advisor/size-model.ts';
import { rangeOf } from '../../../src/advise/index-advisor/size-range.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import {
  type IndexDefinition,
  renderIndexDefinition,
  type Snapshot,
  type WhatIf,
} from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { openTwin } from '../../../src/whatif/index.ts';
import { testServer } from '../../support/servers.ts';

/** What an index's condition says of a column's nulls, and nothing else. */
export interface Presence {
  column: string;
  is_null: boolean;
}

export interface SizesOn {
  client: pg.Client;
  /**
   * Pages that the model says, of the share of the rows that the condition really keeps; of several samples of ANALYZE the
   * median.
   */
  said(definition: IndexDefinition, options?: { bound?: Bound; presence?: Presence }): Promise<number>;
  /** Least and most pages that are said to be possible, by each sample of ANALYZE. */
  ranges(definition: IndexDefinition, presence?: Presence): Promise<{ least: number; most: number }[]>;
  /** With what the twin derives of its expressions: likely pages, those that a budget gives it, and the range; medians. */
  inBudget(definition: IndexDefinition): Promise<Record<'said' | 'reserved' | 'least' | 'most', number>>;
  /** Pages of the index built for real, which is gone afterwards. */
  real(definition: IndexDefinition): Promise<number>;
  close(): Promise<void>;
}

/** The tables are larger than the 16 MB of the other test servers: read again for each sample and each index built. */
export const ROOM = { shared_buffers: '256MB' };

/**
 * A database with these tables, analysed and collected.
 * @param samples times that it is: ANALYZE's sample alone moves a size by some per cent.
 */
export async function sizesOn(major: number, sql: string, samples = 1): Promise<SizesOn> {
  const server = await testServer({ major, settings: ROOM });
  const database = await server.createDatabase({ sql });
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  const { rows: names } = await client.query(
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
  );
  const snapshots: Snapshot[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    for (const { relname } of names) await client.query(`VACUUM ANALYZE ${relname}`);
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier-test', readOnly: true });
    snapshots.push(await collectSnapshot(session).finally(() => session.close()));
  }
  const tables = snapshots.map((snapshot) => [...advisorCatalog(snapshot).tables.values()]);
  const shareOf = async ({ table, where }: IndexDefinition): Promise<number> => {
    // Else the whole table would be read for each size.
    if (where === null) return 1;
    const kept = `count(*) FILTER (WHERE ${where})::float8 / count(*)`;
    const { rows } = await client.query(`SELECT ${kept} AS share FROM ${table}`);
    return rows[0].share;
  };
  /** One for each sample. */
  const inputsOf = async (definition: IndexDefinition, presence?: Presence) => {
    const { where } = definition;
    const selectivity = await shareOf(definition);
    const conditions =
      where === null
        ? []
        : [{ sql: where, share: selectivity, is_lasting: true, ...(presence ? { presence } : {}) }];
    return snapshots.map((snapshot, place) => {
      const table = tables[place]?.find(
        ({ row }) => row.name === definition.table && row.schema === 'public',
      );
      if (table === undefined) throw new Error(`${definition.table} was not collected`);
      const { extended_statistics: statistics } = snapshot.schema;
      return { definition, table, selectivity, conditions, statistics };
    });
  };
  const twins = new Map<number, Promise<{ twin: WhatIf; sizes: CandidateSizes }>>();
  const sizes = async (place: number): Promise<CandidateSizes> => {
    const snapshot = snapshots[place];
    if (snapshot === undefined) throw new Error('no such sample');
    const open = async () => {
      const twin = await openTwin(snapshot);
      return { twin, sizes: new CandidateSizes(advisorCatalog(snapshot), snapshot, twin) };
    };
    const known = twins.get(place) ?? open();
    twins.set(place, known);
    return (await known).sizes;
  };
  return {
    client,
    said: async (definition, { bound, presence } = {}) => {
      const inputs = await inputsOf(definition, presence);
      const pages = inputs.map((input) => indexSize({ ...input, bound }).pages).sort((a, b) => a - b);
      return pages[Math.floor(pages.length / 2)] ?? 0;
    },
    ranges: async (definition, presence) => {
      const inputs = await inputsOf(definition, presence);
      return inputs.map((input) => {
        const { pages } = indexSize(input);
        const { least, most } = rangeOf(input);
        return { least: least * pages, most: most * pages };
      });
    },
    inBudget: async (definition) => {
      const inputs = await inputsOf(definition);
      const seen = await Promise.all(
        inputs.map(async (input, place) => {
          const { size, reserved_bytes, expressions } = await (await sizes(place)).sizeInBudget(
            input,
            Number.MAX_SAFE_INTEGER,
          );
          const { least, most } = rangeOf({ ...input, expressions });
          return {
            said: size.pages,
            reserved: reserved_bytes / BLOCK_BYTES,
            least: least * size.pages,
            most: most * size.pages,
          };
        }),
      );
      const median = (name: 'said' | 'reserved' | 'least' | 'most') =>
        seen.map((each) => each[name]).sort((a, b) => a - b)[Math.floor(seen.length / 2)] ?? 0;
      return {
        said: median('said'),
        reserved: median('reserved'),
        least: median('least'),
        most: median('most'),
      };
    },
    real: async (definition) => {
      await client.query(renderIndexDefinition({ ...definition, name: 'measured' }));
      const { rows } = await client.query("SELECT (pg_relation_size('measured') / 8192)::int AS pages");
      await client.query('DROP INDEX measured');
      return rows[0].pages;
    },
    close: async () => {
      for (const { twin } of await Promise.all(twins.values())) await twin.close();
      await client.end();
      await database.drop();
    },
  };
}
