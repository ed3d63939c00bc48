/**
 * Columns of one row that conditions compare with each other: l_shipdate < l_commitdate. No statistics of PostgreSQL
 * tell how often that holds (DEFAULT_INEQ_SEL of selfuncs.h is a third whatever is in them). All orders of the columns
 * are taken for alike: of two, one is the larger in half of the rows; a < b and b < c hold in one of six.
 */
import { quoteIdentifier, type UsagePredicate } from '../../../domain/index.ts';
import type { Condition } from './candidate.ts';

/** Most columns whose orders are counted one by one: 6! = 720. */
const MAX_COLUMNS = 6;
/** A size that is guessed too small overruns a budget, so the share is taken to be by so much larger. */
const CAUTION = 4 / 3;

/** Two columns of a table in the order that a condition demands. */
export interface ComparedColumns {
  less: string;
  more: string;
}

/** What a condition demands of two bare columns of its table; null: it is another kind of condition. */
export function comparedColumns({
  kind,
  columns,
  operator,
  literal,
}: UsagePredicate): ComparedColumns | null {
  const [first, second] = columns;
  if (kind !== 'other' || columns.length !== 2 || first === undefined || second === undefined) return null;
  // Columns are named in the order of the text; anything beside them makes it another comparison.
  if (literal !== `${quoteIdentifier(first)} ${operator} ${quoteIdentifier(second)}`) return null;
  if (operator === '<' || operator === '<=') return { less: first, more: second };
  if (operator === '>' || operator === '>=') return { less: second, more: first };
  return null;
}

/** `b > a` as `a < b`, which the planner takes for the same (operator_predicate_proof() of predtest.c). */
export function comparison({ operator }: UsagePredicate, { less, more }: ComparedColumns): string {
  return `${quoteIdentifier(less)} ${operator.endsWith('=') ? '<=' : '<'} ${quoteIdentifier(more)}`;
}

/** Share of the rows that conditions keep, if they have nothing to do with each other but for the columns' order. */
export function shareOfConditions(conditions: readonly Pick<Condition, 'share' | 'compares'>[]): number {
  const compared = conditions.flatMap(({ compares }) => compares ?? []);
  const others = conditions.filter(({ compares }) => compares === undefined);
  return others.reduce((share, condition) => share * condition.share, shareOfOrders(compared));
}

/** Share of the rows for which all of these hold; 1 of none. */
export function shareOfOrders(compared: readonly ComparedColumns[]): number {
  if (compared.length === 0) return 1;
  const names = [...new Set(compared.flatMap(({ less, more }) => [less, more]))];
  if (names.length > MAX_COLUMNS) return Math.min(1, CAUTION * 0.5 ** compared.length);
  let held = 0;
  let all = 0;
  for (const order of permutations(names)) {
    const place = new Map(order.map((name, position) => [name, position]));
    all += 1;
    if (compared.every(({ less, more }) => (place.get(less) ?? 0) < (place.get(more) ?? 0))) held += 1;
  }
  return Math.min(1, CAUTION * (held / all));
}

function permutations(names: readonly string[]): string[][] {
  if (names.length < 2) return [[...names]];
  return names.flatMap((first, position) =>
    permutations(names.toSpliced(position, 1)).map((rest) => [first, ...rest]),
  );
}
