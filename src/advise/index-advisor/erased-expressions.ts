/**
 * Expressions whose constants pg_stat_statements erased: `payload->>$1` may be any key of the documents, and an index on
 * a guessed one is of no use to anybody. Where an index that exists has the constant, or it is the database's text
 * search configuration, it is known well enough.
 */
import {
  type Operand,
  quoteQualified,
  type SampledParameter,
  type StatementUsage,
} from '../../domain/index.ts';

/** Where a constant within an expression is from, if it is no guess: see `erased-constants.ts` of the workload. */
const KNOWN_SOURCES = ['expression of index ', 'default_text_search_config'];

export interface KnownUsage {
  usage: StatementUsage;
  /** `schema.table: expression` with `$n` where the constant was, of what was left out. */
  erased: string[];
}

/**
 * A sample's usage without the expressions that hold a guess: they stay in it as something that no index can have.
 * @param written usage of the statement as it was recorded: what it shows itself is no guess.
 */
export function withoutGuesses(
  sample: StatementUsage,
  written: StatementUsage,
  parameters: readonly SampledParameter[],
): KnownUsage {
  const shown = new Set(operandsOf(written).flatMap(({ expression }) => expression ?? []));
  const guesses = parameters
    .filter(({ source }) => !KNOWN_SOURCES.some((known) => source.startsWith(known)))
    .flatMap(({ number, values }) => values.map((value) => ({ number, value })));
  const erased = new Set<string>();
  const known = <T extends Operand>(operand: T, relation: number): T => {
    const { expression } = operand;
    if (expression === null || shown.has(expression)) return operand;
    const guess = guesses.find(({ value }) => expression.includes(value));
    if (!guess) return operand;
    const table = sample.relations[relation];
    if (table) {
      const text = expression.replaceAll(guess.value, `$${guess.number}`);
      erased.add(`${quoteQualified(table.schema, table.table)}: ${text}`);
    }
    return { ...operand, expression: null };
  };
  const usage: StatementUsage = {
    ...sample,
    predicates: sample.predicates.map((each) => known(each, each.relation)),
    orders: sample.orders.map((order) => order.map((each) => known(each, each.relation))),
    groups: sample.groups.map(({ relation, operands }) => ({
      relation,
      operands: operands.map((each) => known(each, relation)),
    })),
  };
  return { usage, erased: [...erased] };
}

function operandsOf({ predicates, orders, groups }: StatementUsage): Operand[] {
  return [...predicates, ...orders.flat(), ...groups.flatMap(({ operands }) => operands)];
}
