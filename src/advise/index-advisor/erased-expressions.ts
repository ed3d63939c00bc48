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
import { constantTokens } from '../../workload/index.ts';

/** Where a constant within an expression is from, if it is no guess: see `erased-constants.ts` of the workload. */
const KNOWN_SOURCES = ['expression of index ', 'default_text_search_config'];

export interface KnownUsage {
  usage: StatementUsage;
  /** `schema.table: expression` with `$n` where the constant was, of what was left out. */
  erased: string[];
}

/**
 * A sample's usage without the expressions that hold a guess: they stay in it as something that no index can have.
 * An expression that the statement does not show as it is has an erased constant. It is known where each of its
 * constants is one of the statement's text or of a source that knows, and none is a guess's value.
 * @param text the statement as it was recorded.
 * @param written usage of that: what it shows itself is no guess.
 */
export function withoutGuesses(
  sample: StatementUsage,
  { text, written }: { text: string; written: StatementUsage },
  parameters: readonly SampledParameter[],
): KnownUsage {
  const shown = new Set(operandsOf(written).flatMap(({ expression }) => expression ?? []));
  const constants = new Set(constantsIn(text));
  const guesses = new Map<string, number>();
  for (const { number, source, values } of parameters) {
    const isKnown = KNOWN_SOURCES.some((known) => source.startsWith(known));
    for (const constant of values.flatMap(constantsIn)) {
      if (isKnown) constants.add(constant);
      else guesses.set(constant, number);
    }
  }
  const isGuess = (constant: string) => guesses.has(constant) || !constants.has(constant);
  const erased = new Set<string>();
  const known = <T extends Operand>(operand: T, relation: number): T => {
    const { expression } = operand;
    if (expression === null || shown.has(expression)) return operand;
    const guessed = constantTokens(expression)?.filter((token) => isGuess(token.text)) ?? [];
    if (guessed.length === 0) return operand;
    const table = sample.relations[relation];
    if (table) {
      const shape = withParameters(expression, guessed, guesses);
      erased.add(`${quoteQualified(table.schema, table.table)}: ${shape}`);
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

const constantsIn = (sql: string) => constantTokens(sql)?.map(({ text }) => text) ?? [];

/** The expression as it stands in the recorded text: `$n` in the place of each guess. */
function withParameters(
  expression: string,
  guessed: readonly { start: number; end: number; text: string }[],
  numbers: ReadonlyMap<string, number>,
): string {
  // The scanner counts bytes.
  let bytes = Buffer.from(expression);
  for (const { start, end, text } of guessed.toReversed()) {
    const parameter = Buffer.from(`$${numbers.get(text) ?? 'n'}`);
    bytes = Buffer.concat([bytes.subarray(0, start), parameter, bytes.subarray(end)]);
  }
  return bytes.toString();
}

function operandsOf({ predicates, orders, groups }: StatementUsage): Operand[] {
  return [...predicates, ...orders.flat(), ...groups.flatMap(({ operands }) => operands)];
}
