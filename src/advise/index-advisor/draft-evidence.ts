/** Rows of evidence of a recommended index: how often, against which writes, beside which indexes, with which values. */
import {
  type AffectedStatement,
  ageWords,
  amountWords,
  type Evidence,
  percentWords,
  type RuleContext,
  type SampledParameter,
} from '../../domain/index.ts';
import { supersedes } from './covered.ts';
import type { Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';

const DAY_SECONDS = 86_400;
/** Values of a parameter, and characters of one, that are shown. */
const VALUES = 8;
const VALUE_LENGTH = 60;
/** Characters of a statement by which it is named. */
const NAME_LENGTH = 60;
/** Rows of each kind. */
const ROWS = 8;
const WRITERS = 3;

/** Calls at the window's rate; null where its length is not known. */
export function perDay(calls: number, { workload }: Pick<RuleContext, 'workload'>): number | null {
  const { seconds } = workload;
  return seconds === null || seconds <= 0 ? null : (calls * DAY_SECONDS) / seconds;
}

/** `30 calls a day`, or the calls alone where nobody knows in what time. */
export function callsWords(calls: number, context: Pick<RuleContext, 'workload'>): string {
  const daily = perDay(calls, context);
  const count = amountWords(daily ?? calls);
  return `${count} ${count === '1' ? 'call' : 'calls'}${daily === null ? '' : ' a day'}`;
}

/** Of the statements that it helps and of those that it hurts, calls a day. */
export function callsADay(
  affects: readonly AffectedStatement[],
  { workload: { seconds } }: Pick<RuleContext, 'workload'>,
): Evidence[] {
  const row = (name: string, items: readonly AffectedStatement[]): Evidence[] => {
    if (items.length === 0 || items.some((item) => item.calls_per_day == null)) return [];
    return [
      {
        name,
        value: items.reduce((sum, item) => sum + (item.calls_per_day ?? 0), 0),
        unit: 'calls',
        source: 'pg_stat_statements.calls',
        level: 'measured',
        formula: `${amountWords(items.reduce((sum, item) => sum + item.calls, 0))} calls in ${ageWords((seconds ?? 0) / DAY_SECONDS)}, brought to one day`,
      },
    ];
  };
  const dearer = (item: AffectedStatement) => item.cost_after > item.cost_before;
  return [
    ...row(
      'calls a day of the statements that it helps',
      affects.filter((item) => !dearer(item)),
    ),
    ...row('calls a day of the statements that it makes dearer', affects.filter(dearer)),
  ];
}

/** Statements that write its table and so maintain it, those of most rows first: they get slower. */
export function writersOf(
  { table_oid, write }: Contender,
  statements: readonly AdvisorStatement[],
  context: RuleContext,
): Evidence[] {
  if (write.cost <= 0) return [];
  return statements
    .filter(({ usages }) =>
      usages[0]?.relations.some((relation) => relation.is_written && relation.table_oid === table_oid),
    )
    .toSorted((a, b) => written(b) - written(a))
    .slice(0, WRITERS)
    .map(({ query }) => {
      return {
        name: 'statement that has to maintain it',
        value: `${query.query.replace(/\s+/g, ' ').slice(0, 120)} (${callsWords(query.calls, context)})`,
        unit: null,
        source: context.workload.source === 'files' ? 'workload files' : 'pg_stat_statements',
        level: 'measured',
        formula: null,
      };
    });
}

const written = ({ query }: AdvisorStatement) => Math.max(query.rows, query.calls);

/** Existing indexes of the table that begin with the same key or hold all of its keys, and what is between the two. */
export function overlapping({
  candidate,
}: {
  candidate: Pick<Contender['candidate'], 'definition' | 'table'>;
}): Evidence[] {
  const { definition, table } = candidate;
  const keys = definition.keys.map((key) => key.column ?? key.expression ?? '');
  return table.indexes.flatMap((index) => {
    const same = index.keys.findIndex((key, position) => key !== keys[position]);
    const shared = same === -1 ? Math.min(index.keys.length, keys.length) : Math.min(same, keys.length);
    const held = keys.every((key) => index.keys.includes(key));
    if (shared === 0 && !held) return [];
    const relation = supersedes(definition, index)
      ? `this one does all that ${index.name} does`
      : shared > 0
        ? `the first ${shared} key(s) are the same`
        : 'it has the same keys in another order';
    return [
      {
        name: 'existing index that overlaps',
        value: index.definition,
        unit: null,
        source: 'pg_index',
        level: 'measured' as const,
        formula: `${relation}; ${index.idx_scan} scans since the statistics began`,
      },
    ];
  });
}

/** As it is kept with a statement: the samples' values, long ones cut. */
export function parametersUsed(
  parameters: readonly SampledParameter[],
): NonNullable<AffectedStatement['parameters']> {
  return parameters.map(({ number, column, values, source, guessed }) => ({
    ...(guessed === true ? { guessed } : {}),
    number,
    column,
    values: values.slice(0, VALUES).map((value) => cut(value)),
    source,
  }));
}

/** The beginning of a statement, by which a person knows it. */
export const named = (query: string) => {
  const line = query.replace(/\s+/g, ' ').trim();
  return line.length <= NAME_LENGTH ? line : `${line.slice(0, NAME_LENGTH - 1)}…`;
};

const cut = (value: string) => (value.length <= VALUE_LENGTH ? value : `${value.slice(0, VALUE_LENGTH)}…`);

/** The same as rows, for those who read the evidence only. */
export function sampleRows(affects: readonly AffectedStatement[]): Evidence[] {
  return affects
    .flatMap(({ query, parameters = [] }) =>
      parameters.map(
        ({ number, column, values, source, guessed }): Evidence => ({
          name: `samples of $${number}${column === null ? '' : ` (${column})`} in ${named(query)}`,
          value: values.join(', ').slice(0, 200),
          unit: null,
          source: guessed === true ? `a guess, for the value was erased: ${source}` : source,
          level: guessed === true ? 'estimated' : 'simulated',
          formula: null,
        }),
      ),
    )
    .slice(0, ROWS);
}

/**
 * Share of what an index saves that rests on values which pg_stat_statements erased and nothing tells (`at > now() - $1`,
 * `name LIKE $1`).
 * @param guessed query_ids of the statements that have one.
 */
export function guessedShare(affects: readonly AffectedStatement[], guessed: ReadonlySet<string>): number {
  const saved = (items: readonly AffectedStatement[]) =>
    items.reduce((sum, item) => sum + item.calls * Math.max(0, item.cost_before - item.cost_after), 0);
  const all = saved(affects);
  return all > 0 ? saved(affects.filter(({ query_id }) => guessed.has(query_id))) / all : 0;
}

/** The same as evidence; nothing where nothing is guessed. */
export function guessedEvidence(share: number): Evidence[] {
  if (share <= 0) return [];
  return [
    {
      name: 'share of what it saves that rests on erased values',
      value: share,
      unit: 'share',
      source: 'samples of the parameters',
      level: 'estimated',
      formula:
        'Σ calls × saving of statements with a guessed parameter ÷ Σ of all: how far a range reaches back from now, or whether a pattern begins with its text, was erased; the guesses count alike',
    },
  ];
}

/** Bytes of a budget that an index takes, where statistics leave open that it may be larger than it is said to be. */
export const TAKEN_OF_BUDGET = 'taken of the budget';

/** What is reserved, by access method. */
const RESERVED: Readonly<Record<string, string>> = {
  btree:
    'half of the values more that the sample allows, and the longest of other columns where a condition keeps some rows only',
  gin: 'as many entries as nine in ten of such indexes have, by what the sampled values allow, and half of what the model errs by beside that',
  gist: 'half of the way to the largest that it may turn out',
};

/** What of a budget it takes, where that is more than its size. */
export function reservedEvidence(
  { candidate, size_bytes, reserved_bytes }: Contender,
  { index_budget_bytes: budget }: RuleContext,
): Evidence[] {
  if (budget === null || reserved_bytes <= size_bytes) return [];
  return [
    {
      name: TAKEN_OF_BUDGET,
      value: reserved_bytes,
      unit: 'bytes',
      source: 'size model',
      level: 'estimated',
      formula: `${RESERVED[candidate.definition.method] ?? RESERVED.gist}: the budget is of real bytes`,
    },
  ];
}

/** What there was no time to ask, as evidence; nothing where all was. */
export function unaskedEvidence(count: number): Evidence[] {
  if (count === 0) return [];
  return [
    {
      name: 'statements with a cost that there was no time to ask',
      value: count,
      unit: 'statements',
      source: 'plans that were shown for other sets of indexes',
      level: 'estimated',
      formula:
        'the least cost of the known plans whose indexes are all in the set: the most that the statement can cost',
    },
  ];
}

/** What the blocks that calls read said of the samples, of the statements that an index affects. */
export function readsEvidence(
  affects: readonly AffectedStatement[],
  statements: ReadonlyMap<string, AdvisorStatement>,
): Evidence[] {
  return affects
    .flatMap(({ query_id, query }) => {
      const reads = statements.get(query_id)?.reads;
      if (reads === undefined) return [];
      const { observed, whole, read_on } = reads;
      const row = {
        unit: 'share',
        source: 'pg_stat_statements.shared_blks_hit + shared_blks_read',
        level: 'measured' as const,
      };
      const blocks = `${amountWords(Math.round(observed))} blocks a call`;
      const rows: Evidence[] = [];
      if (whole) {
        const { before, share, pages } = whole;
        const bound = share < before ? 'at most' : 'at least';
        rows.push({
          ...row,
          name: `calls that read the whole table, ${bound}, of ${named(query)}`,
          value: share,
          formula: `${blocks} against ${amountWords(pages)} pages${share < before ? ', half of them for times when it was smaller' : ', the others’ plans read less'}; the samples’ weights said ${percentWords(before)}`,
        });
      }
      if (read_on) {
        rows.push({
          ...row,
          name: `calls that a LIMIT does not end early, of ${named(query)}`,
          value: read_on.share,
          formula: `(${blocks} − ${Math.round(read_on.expected)} expected if it did) ÷ what reading on takes; the costs hold this share of reading on, the plans shown are the planner's`,
        });
      }
      return rows;
    })
    .slice(0, ROWS);
}
