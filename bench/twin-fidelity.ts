/** Plan costs, plan shapes and index sizes: the twin's beside the real server's. */

import { CandidateSizes } from '../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../src/advise/index-advisor/catalog.ts';
import {
  type IndexDefinition,
  type IndexSize,
  type PlannableStatement,
  quoteQualified,
  renderIndexDefinition,
  type WhatIf,
} from '../src/domain/index.ts';
import { type RealPlan, type RealSource, shapeOf } from './twin-source.ts';

const AS_IS = { created: [], hidden: [] };
const statementOf = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const errorPct = (got: number | null, real: number) =>
  got === null ? 100 : (100 * Math.abs(got - real)) / real;

/** A statement before any change. */
export interface UnchangedRow {
  name: string;
  real: number;
  twin: number | null;
  error_pct: number;
  same_shape: boolean;
  reason: string | null;
}

export async function compareUnchanged(
  source: RealSource,
  twin: WhatIf,
  statements: Readonly<Record<string, string>>,
): Promise<UnchangedRow[]> {
  const rows: UnchangedRow[] = [];
  for (const [name, sql] of Object.entries(statements)) {
    const real = await source.plan(sql);
    const [answer] = await twin.costs(AS_IS, [statementOf(sql)]);
    let planned: { Plan: RealPlan }[] = [];
    if (answer?.error === null) planned = (await twin.explain(AS_IS, statementOf(sql))) as typeof planned;
    const twins = planned[0]?.Plan;
    rows.push({
      name,
      real: real['Total Cost'],
      twin: answer?.cost ?? null,
      error_pct: errorPct(answer?.cost ?? null, real['Total Cost']),
      same_shape: twins !== undefined && JSON.stringify(shapeOf(twins)) === JSON.stringify(shapeOf(real)),
      reason: answer?.error ?? null,
    });
  }
  return rows;
}

/** An index predicted and built. */
export interface BuiltRow {
  index: string;
  method: string;
  pages_predicted: number;
  pages_real: number;
  pages_ratio: number;
  height_predicted: number | null;
  height_real: number | null;
  /** Costs of its statement; null where only the size is compared. */
  predicted: number | null;
  real: number | null;
  error_pct: number | null;
  used: boolean;
  used_real: boolean;
  refused: string | null;
}

/** Predicts each index with our size model in the twin, then builds it for real in a transaction that is rolled back. */
export async function compareBuilt(
  source: RealSource,
  twin: WhatIf,
  indexes: readonly { definition: IndexDefinition; sql: string | null }[],
): Promise<BuiltRow[]> {
  const catalog = advisorCatalog(source.snapshot);
  const sizes = new CandidateSizes(catalog, source.snapshot, twin);
  const rows: BuiltRow[] = [];
  for (const { definition, sql } of indexes) {
    const name = quoteQualified(definition.schema, definition.table);
    const table = [...catalog.tables.values()].find(
      (each) => quoteQualified(each.row.schema, each.row.name) === name,
    );
    if (table === undefined) throw new Error(`${name} was not collected`);
    let selectivity = 1;
    if (definition.where !== null) {
      const [kept, all] = await twin.costs(AS_IS, [
        statementOf(`SELECT 1 FROM ${name} WHERE ${definition.where}`),
        statementOf(`SELECT 1 FROM ${name}`),
      ]);
      selectivity = (kept?.rows ?? 1) / (all?.rows ?? 1);
    }
    const size = await sizes.sizeOf(definition, table, selectivity);
    const { predicted, used, refused } = await predict(twin, definition, size, sql);
    const real = await build(source, definition, sql);
    rows.push({
      index: renderIndexDefinition(definition).replace(/CREATE (UNIQUE )?INDEX \S+ ON /, '$1'),
      method: definition.method,
      pages_predicted: size.pages,
      pages_real: real.pages,
      pages_ratio: size.pages / real.pages,
      height_predicted: size.tree_height,
      height_real: definition.method === 'btree' ? real.level : null,
      predicted,
      real: real.cost,
      error_pct: real.cost === null ? null : errorPct(predicted, real.cost),
      used,
      used_real: real.used,
      refused,
    });
  }
  return rows;
}

async function predict(twin: WhatIf, definition: IndexDefinition, size: IndexSize, sql: string | null) {
  try {
    const handle = await twin.addIndex(definition, size);
    const [answer] =
      sql === null ? [] : await twin.costs({ created: [handle], hidden: [] }, [statementOf(sql)]);
    return {
      predicted: answer?.cost ?? null,
      used: answer?.indexes.includes(handle) ?? false,
      refused: answer?.error ?? null,
    };
  } catch (error) {
    return { predicted: null, used: false, refused: error instanceof Error ? error.message : String(error) };
  }
}

/** Of a partitioned table all parts' pages and the highest tree. */
const REAL_SIZE = `SELECT sum(pg_relation_size(c.oid) / 8192)::int AS pages,
    max(CASE WHEN $2 = 'btree' THEN (bt_metap(quote_ident(n.nspname) || '.' || quote_ident(relname))).level END)::int AS level,
    array_agg(relname::text) AS names
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'i' AND c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass) UNION SELECT $1::regclass)`;

async function build({ client, plan }: RealSource, definition: IndexDefinition, sql: string | null) {
  await client.query('BEGIN');
  try {
    await client.query(renderIndexDefinition(definition));
    // An expression has statistics once its table was analysed: of the others ANALYZE would change what is compared.
    if (definition.keys.some((key) => key.expression !== null)) {
      await client.query(`ANALYZE ${quoteQualified(definition.schema, definition.table)}`);
    }
    const { rows } = await client.query<{ pages: number; level: number | null; names: string[] }>(REAL_SIZE, [
      quoteQualified(definition.schema, definition.name),
      definition.method,
    ]);
    const [size] = rows;
    if (size === undefined) throw new Error('the index was not built');
    const planned = sql === null ? null : await plan(sql);
    const text = JSON.stringify(planned === null ? [] : shapeOf(planned));
    return {
      ...size,
      cost: planned?.['Total Cost'] ?? null,
      used: size.names.some((each) => text.includes(JSON.stringify(each))),
    };
  } finally {
    await client.query('ROLLBACK');
  }
}
