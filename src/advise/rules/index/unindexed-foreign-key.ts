/** Foreign keys whose referencing side is read whole for each row that goes from the referenced table. */
import {
  amountWords,
  type Evidence,
  type IndexRow,
  PgLuthierError,
  percentWords,
  quoteIdentifier,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  type Snapshot,
  type WorkloadQuery,
  weightWords,
} from '../../../domain/index.ts';
import {
  sampleStatements,
  type UsageCatalog,
  unmeasuredQuery,
  usageCatalog,
} from '../../../workload/index.ts';
import { buildTime } from '../../index-advisor/build-time.ts';
import { CandidateSizes } from '../../index-advisor/candidate-size.ts';
import { makeBtree } from '../../index-advisor/candidates/candidate.ts';
import { type AdvisorCatalog, advisorCatalog } from '../../index-advisor/catalog.ts';
import { childWrites } from '../../index-advisor/child-writes.ts';
import { callsWords, overlapping } from '../../index-advisor/draft-evidence.ts';
import { holdsReferring } from '../../index-advisor/existing.ts';
import { type Deletes, deletesOf, deletingStatements } from '../../index-advisor/parent-deletes.ts';
import { BLOCK_BYTES, bytesOf } from '../../index-advisor/size-model.ts';
import { sizeRange } from '../../index-advisor/size-range.ts';
import { keyOfIndex } from '../../index-advisor/standing.ts';
import { statisticsKnown } from '../../index-advisor/statistics-known.ts';

const ID = 'index/unindexed-foreign-key';
/** Planner cost units that one check must save: below this the referencing table is read as fast without an index. */
const MINIMUM_GAIN = 10;

/** Statements that are named. */
const DELETERS = 3;

type ForeignKey = Snapshot['schema']['constraints'][number];

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'A foreign key has no index on its referencing side',
  description:
    'For each row deleted from the referenced table PostgreSQL looks for rows that refer to it (ri_triggers.c); without ' +
    'an index that begins with the referencing columns it reads the whole table. Fires where such deletes happened (in the window, or by the statements of files) and ' +
    'the planner finds the look-up cheaper with an index. Quiet where nothing is deleted, where the look-ups save less than the writes pay for the index, and where ' +
    'index/missing advises an index that begins with these columns: of its statements it may be worth none, and the look-ups are not among them.',
  evaluate: async (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    const catalog = advisorCatalog(context.snapshot);
    const open = context.snapshot.schema.constraints.filter(
      (constraint) => constraint.type === 'f' && isOpen(constraint, catalog),
    );
    if (open.length === 0) return { recommendations, rejections, limits: [] };
    const names = await usageCatalog(context.snapshot);
    const deleting = await deletingStatements(context, names);
    for (const key of open) {
      const reject = (code: string, reason: string) =>
        rejections.push({
          rule: ID,
          candidate: `index on ${key.schema}.${key.table} (${key.columns.join(', ')}) for ${key.name}`,
          table: quoteQualified(key.schema, key.table),
          code,
          reason,
        });
      const deletes = deletesOf(context, key.referenced_oid, deleting);
      if (deletes.rows <= 0) {
        reject(
          'no_parent_changes',
          'no row was deleted from the referenced table, by its counters and the statements',
        );
      } else if (context.what_if === null) {
        reject(
          'not_simulated',
          `${deletes.rows} rows were deleted, but there was no planner to weigh an index`,
        );
      } else {
        const deleters = deletersOf(deleting.get(key.referenced_oid ?? 0) ?? [], context);
        const draft = await weigh(context, key, { deletes, deleters }, catalog, names);
        if ('code' in draft) reject(draft.code, draft.reason);
        else recommendations.push(draft);
      }
    }
    return { recommendations, rejections, limits: [] };
  },
};

/** A foreign key of a plain table that no usable index serves. Partitioned tables are left to their partitions. */
function isOpen(constraint: ForeignKey, catalog: AdvisorCatalog): boolean {
  const table = catalog.tables.get(constraint.table_oid);
  if (table === undefined || table.row.relkind !== 'r') return false;
  const wanted = constraint.columns.map((name) => table.columns.get(name)?.attnum);
  const serves = (index: IndexRow) => {
    const leading = index.key_attnums.slice(0, wanted.length);
    return (
      index.is_valid &&
      holdsReferring(index, constraint.columns) &&
      ['btree', 'hash'].includes(index.method) &&
      // Any order of the columns will do: each is compared for equality.
      wanted.every((attnum) => attnum !== undefined && leading.includes(attnum))
    );
  };
  return !table.indexes.some(serves);
}

/** The look-up that the trigger does for one deleted row, as a statement of the workload. */
function checkOf(key: ForeignKey, deletes: number): WorkloadQuery {
  const conditions = key.columns.map((column, index) => `x.${quoteIdentifier(column)} = $${index + 1}`);
  return unmeasuredQuery(
    {
      query_id: `check of ${key.schema}.${key.table}.${key.name}`,
      query: `SELECT 1 FROM ONLY ${quoteQualified(key.schema, key.table)} x WHERE ${conditions.join(' AND ')}`,
      class: 'select',
    },
    deletes,
  );
}

function parentOf({ referenced_oid }: ForeignKey, { tables }: AdvisorCatalog): string {
  const row = tables.get(referenced_oid ?? 0)?.row;
  return row === undefined ? 'the referenced table' : `${row.schema}.${row.name}`;
}

/** Statements of the workload that delete from the referenced table, those of most rows first. */
function deletersOf(queries: readonly WorkloadQuery[], context: RuleContext): Evidence[] {
  return queries
    .toSorted((a, b) => b.rows - a.rows)
    .slice(0, DELETERS)
    .map((query): Evidence => {
      return {
        name: 'statement that looks for rows that refer to what it deletes',
        value: `${query.query.replaceAll(/\s+/g, ' ').slice(0, 120)} (${callsWords(query.calls, context)}, ${percentWords(query.share_of_time)} of ${weightWords(context.workload)})`,
        unit: null,
        source: context.workload.source === 'files' ? 'workload files' : 'pg_stat_statements',
        level: 'measured',
        formula: null,
      };
    });
}

async function weigh(
  context: RuleContext,
  key: ForeignKey,
  of: { deletes: Deletes; deleters: readonly Evidence[] },
  catalog: AdvisorCatalog,
  names: UsageCatalog,
): Promise<RecommendationDraft | { code: string; reason: string }> {
  const { what_if: whatIf, snapshot } = context;
  const { rows: deletes, period, source, level } = of.deletes;
  const table = catalog.tables.get(key.table_oid);
  if (whatIf === null || table === undefined) throw new Error('weigh() needs a planner and a table');
  const { definition, key: indexKey } = makeBtree(
    table,
    key.columns.map((column) => ({ column, expression: null, columns: [column] })),
    {},
  );
  const size = await new CandidateSizes(catalog, snapshot, whatIf).sizeOf(definition, table, 1);
  const { samples, parameters } = await sampleStatements(checkOf(key, deletes), snapshot, names);
  let handle: string;
  try {
    handle = await whatIf.addIndex(definition, size);
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { code: 'refused_by_postgresql', reason: `PostgreSQL refuses it: ${error.message}` };
  }
  const costWith = async (created: string[]): Promise<number> => {
    const answers = await whatIf.costs({ created, hidden: [] }, samples);
    return answers.reduce(
      (sum, answer, index) => sum + (answer.cost ?? Number.NaN) * (samples[index]?.weight ?? 0),
      0,
    );
  };
  const before = await costWith([]);
  const after = await costWith([handle]);
  if (Number.isNaN(before) || Number.isNaN(after)) {
    return { code: 'not_simulated', reason: 'the look-up of the foreign key could not be planned' };
  }
  if (before - after < MINIMUM_GAIN) {
    const reason = `one look-up costs ${amountWords(before)} without and ${amountWords(after)} with it (planner cost units)`;
    return { code: 'no_gain', reason };
  }
  const write = childWrites(context, table, definition, size);
  const saved = deletes * (before - after);
  if (write.cost > saved) {
    const reason = `the table's writes would pay ${amountWords(write.cost)} for it, the look-ups of ${amountWords(deletes)} deleted rows save ${amountWords(saved)} (planner cost units)`;
    return { code: 'writes_cost_more', reason };
  }
  const candidate = { definition, table, selectivity: 1, conditions: [] };
  const build = buildTime({ candidate, size, size_bytes: bytesOf(size) }, snapshot);
  const parent = parentOf(key, catalog);
  const known = statisticsKnown(table);
  const engine = `${whatIf.engine} EXPLAIN`;
  const evidence: Evidence[] = [
    {
      name: `rows deleted from the referenced table ${period}`,
      value: deletes,
      unit: 'rows',
      source,
      level,
      formula: null,
    },
    {
      name: 'one look-up now',
      value: before,
      unit: 'cost',
      source: engine,
      level: 'simulated',
      formula: null,
    },
    {
      name: 'one look-up with the index',
      value: after,
      unit: 'cost',
      source: engine,
      level: 'simulated',
      formula: null,
    },
    {
      name: 'size',
      value: bytesOf(size),
      unit: 'bytes',
      source: 'size model for btree',
      level: 'estimated',
      formula: `${amountWords(size.pages)} pages × ${BLOCK_BYTES} bytes for ${amountWords(Math.round(size.tuples))} entries`,
    },
    sizeRange({ candidate, size_bytes: bytesOf(size) }, snapshot.schema.extended_statistics),
    {
      name: `write cost ${period}`,
      value: write.cost,
      unit: 'cost',
      source: 'pg_stat_user_tables',
      level: 'estimated',
      formula: write.formula,
    },
    build.evidence,
    ...overlapping({ candidate }),
    ...of.deleters,
    ...known.evidence,
    ...parameters.map(
      (parameter): Evidence => ({
        name: `samples of ${parameter.column ?? `$${parameter.number}`}`,
        value: parameter.values.join(', ').slice(0, 200),
        unit: null,
        source: parameter.source,
        level: 'simulated',
        formula: null,
      }),
    ),
  ];
  return {
    rule: ID,
    change: { kind: 'index.create', index: definition },
    key: keyOfIndex(indexKey),
    title: `Index on ${key.schema}.${key.table} (${key.columns.join(', ')}) for the foreign key ${key.name}`,
    rationale: `${amountWords(deletes)} rows were deleted from ${parent} ${period}; for each of them PostgreSQL looks for rows of ${key.schema}.${key.table} that refer to it, at ${amountWords(before)} cost units now and ${amountWords(after)} with this index. If the referenced rows are no longer deleted, the index is not needed for that.`,
    severity: before > 1000 && deletes > 100 ? 'high' : 'medium',
    evidence_level: 'simulated',
    confidence: 0.9 * known.confidence,
    estimate: {
      cost_before: deletes * before,
      cost_after: deletes * after,
      size_bytes: bytesOf(size),
      write_overhead: write.cost,
      build_seconds: build.seconds,
    },
    affects: [],
    evidence,
    risk: {
      locks:
        'ShareUpdateExclusive on the table while it is built: reads and writes go on; other DDL, VACUUM and ANALYZE of this table wait.',
      restart: false,
      reload: false,
      notes: [
        'CREATE INDEX CONCURRENTLY reads the table twice and waits for transactions that are older than itself.',
        'Every insert into the table maintains it.',
        ...known.notes,
      ],
    },
  };
}
