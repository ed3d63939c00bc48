/**
 * What the calls really read (shared_blks_hit + shared_blks_read of pg_stat_statements) against what their samples'
 * plans of today would read. Three things follow without a guess at values: samples whose plan reads the whole table
 * can be so many of the calls only as the mean allows (Markov's inequality); they are so many at least as the mean
 * demands where the others' plans cannot read so much; and where a LIMIT was to end an ordered scan early, and the
 * calls read far more than all samples explain, it did not.
 */
import type { AdvisorTable } from './catalog.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { AdvisorStatement } from './statement.ts';

/** Tables were smaller at the time of some calls: a plan that reads all of it read half of today's pages at least. */
const SMALLER_THEN = 0.5;
/** Blocks a call that are read for other reasons: dead rows at an index's beginning, long values. */
const OTHER_BLOCKS = 100;
/** Planner cost units of a page, seq_page_cost; random_page_cost is set as low as this at most. */
const CHEAPEST_PAGE = 1;
/** So many times more than expected is no error of the expectation. */
const FAR_MORE = 3;

/**
 * Samples of less weight than this are doubted already, by the rows that calls returned: they are no explanation of
 * blocks, other values between them are.
 */
const DOUBTED = 0.1;

/**
 * What one sample's plan of today reads: all pages; an ordered scan as far as the planner expects, or at worst; what
 * an index finds, no more pages than the cost buys of the cheaper kind. Null: it cannot be told.
 */
type Reads =
  | { kind: 'whole'; pages: number }
  | { kind: 'limited'; early: number; worst: number }
  | { kind: 'searched'; most: number }
  | null;

/**
 * The statement as the observed blocks have it: its samples with other weights, or with the share of calls that a LIMIT
 * did not end. The same object where they tell nothing.
 * @param book it was asked about the statement as it is now.
 */
export function withObservedReads(
  statement: AdvisorStatement,
  book: PlanBook,
  tables: ReadonlyMap<number, AdvisorTable>,
): AdvisorStatement {
  const { query, usages } = statement;
  const blocks = query.shared_blks_hit + query.shared_blks_read;
  const [relation, ...others] = usages[0]?.relations ?? [];
  const table = relation === undefined ? undefined : tables.get(relation.table_oid);
  if (query.class !== 'select' || query.calls <= 0 || blocks <= 0) return statement;
  if (table === undefined || others.length > 0 || table.row.relkind !== 'r') return statement;
  const observed = blocks / query.calls;
  const reads = readsOf(statement, book, table);
  if (reads.length !== statement.samples.length) return statement;
  return limitsNotMet(boundedWeights(statement, reads, observed), reads, observed);
}

function readsOf(statement: AdvisorStatement, book: PlanBook, table: AdvisorTable): Reads[] {
  const pages = table.row.main_pages;
  return book.plans(statement).map(({ plans }, position): Reads => {
    const [today] = plans;
    if (today === undefined) return null;
    const { planner_cost: cost, early_end_rest: rest, indexes } = today;
    // Without an index one table is read from its beginning; what costs less than its pages ends before.
    if (indexes.length === 0) return cost >= pages && pages > 0 ? { kind: 'whole', pages } : null;
    const [name] = indexes;
    const index = table.indexes.find((each) => `${each.schema}.${each.name}` === name);
    if (index === undefined || indexes.length > 1) return null;
    if (rest <= 0) return { kind: 'searched', most: cost / CHEAPEST_PAGE };
    const column = [...table.columns.values()].find(({ attnum }) => attnum === index.key_attnums[0]);
    const along = (column?.stats?.correlation ?? 0) ** 2;
    // As cost_index() takes it: between each page once and a page for each row.
    const full = index.main_pages + along * pages + (1 - along) * Math.max(pages, table.row.reltuples);
    const risk = today.early_end_risk / (statement.samples[position]?.late_rows ?? 1);
    const worst = (full * (cost + risk)) / (cost + rest);
    return { kind: 'limited', early: (full * cost) / (cost + rest), worst };
  });
}

/** The share of the samples whose plans read the whole table, brought between what the mean allows and demands. */
function boundedWeights(
  statement: AdvisorStatement,
  reads: readonly Reads[],
  observed: number,
): AdvisorStatement {
  const { samples } = statement;
  const pages = Math.min(...reads.flatMap((each) => (each?.kind === 'whole' ? each.pages : [])));
  const isWhole = (position: number) => reads[position]?.kind === 'whole';
  const before = samples.reduce((sum, { weight }, position) => sum + (isWhole(position) ? weight : 0), 0);
  if (!Number.isFinite(pages) || before <= 0 || before > 1 - 1e-6) return statement;
  const others = reads.map((each, position) => (isWhole(position) ? 0 : mostOf(each)));
  const rest = others.reduce((sum, most, at) => sum + (most * (samples[at]?.weight ?? 0)) / (1 - before), 0);
  const least = rest < pages && before >= DOUBTED ? (observed - rest) / (pages - rest) : 0;
  const most = observed / (SMALLER_THEN * pages);
  const share = Math.min(1, Math.max(before, least), most);
  if (Math.abs(share - before) < 0.01) return statement;
  const weighed = samples.map((sample, position) => ({
    ...sample,
    weight: sample.weight * (isWhole(position) ? share / before : (1 - share) / (1 - before)),
  }));
  return { ...statement, samples: weighed, reads: { observed, whole: { before, share, pages } } };
}

/** Blocks that a call of such a sample reads at most. */
function mostOf(reads: Reads | undefined): number {
  if (reads?.kind === 'searched') return reads.most;
  // As the planner has it, with room for being wrong.
  return reads?.kind === 'limited' ? FAR_MORE * reads.early : Number.POSITIVE_INFINITY;
}

/** Where the calls read far more than LIMITs that end early would: the share of them that read on to the end. */
function limitsNotMet(
  statement: AdvisorStatement,
  reads: readonly Reads[],
  observed: number,
): AdvisorStatement {
  let expected = 0;
  let room = 0;
  for (const [position, { weight }] of statement.samples.entries()) {
    const each = reads[position];
    if (!each) return statement;
    if (each.kind === 'whole') expected += weight * each.pages;
    else expected += weight * (each.kind === 'searched' ? each.most : each.early);
    if (each.kind === 'limited') room += weight * (each.worst - each.early);
  }
  if (room <= 0 || observed < FAR_MORE * expected + OTHER_BLOCKS) return statement;
  const share = Math.min(1, (observed - expected) / room);
  const samples = statement.samples.map((sample, position) =>
    reads[position]?.kind === 'limited' ? { ...sample, read_on: share } : sample,
  );
  return {
    ...statement,
    samples,
    reads: { observed, ...statement.reads, read_on: { share, expected } },
  };
}
