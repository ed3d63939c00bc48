/** Which contenders a statement's plan might use beside others, by what the statement asks for and the index holds. */
import type { Operand } from '../../domain/index.ts';
import { columnsRead } from '../../workload/index.ts';
import type { Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';

/**
 * Whether a plan of the statement might use it beside others.
 * @param skips the server skips leading keys (`PlanBook.skips`).
 */
export const mayServe = (
  contender: Contender | undefined,
  statement: AdvisorStatement,
  skips: boolean,
): boolean =>
  leads(contender, statement) ||
  (skips && isFoundBehind(contender, statement)) ||
  holdsAll(contender, statement);

/** Values of leading keys up to which a scan may skip from one to the next: it descends anew for each. */
const FEW_VALUES = 100;

/** Whether the statement looks for a key that only keys of few values come before. */
function isFoundBehind(contender: Contender | undefined, { usages }: AdvisorStatement): boolean {
  if (!contender) return false;
  const { definition, table } = contender.candidate;
  if (definition.method !== 'btree') return false;
  let values = 1;
  for (const { column } of definition.keys) {
    if (column === null) return false;
    const isLookedFor = usages.some(({ predicates }) =>
      predicates.some(({ columns }) => columns.length === 1 && columns[0] === column),
    );
    if (isLookedFor && values > 1) return true;
    // A share of the rows, below 0, is of many.
    const distinct = table.columns.get(column)?.stats?.n_distinct ?? -1;
    values *= distinct > 0 ? distinct : Number.POSITIVE_INFINITY;
    if (values > FEW_VALUES) return false;
  }
  return false;
}

/** Whether the statement looks for, joins, sorts or groups by what leads the index: else only its size could serve it. */
function leads(contender: Contender | undefined, { usages }: AdvisorStatement): boolean {
  const first = contender?.candidate.definition.keys[0];
  if (!first) return false;
  const isFirst = (operand: Operand) =>
    first.column === null
      ? operand.expression === first.expression ||
        operand.columns.some((name) => columnsRead(first.expression).has(name))
      : operand.columns.includes(first.column);
  return usages.some(
    ({ predicates, orders, groups }) =>
      predicates.some(isFirst) ||
      orders.flat().some(isFirst) ||
      groups.some(({ operands }) => operands.some(isFirst)),
  );
}

/**
 * Whether it was made out of others and has all that the statement reads of its table: the smaller of the others may
 * have served it by being smaller than the table, and so may this one.
 */
function holdsAll(contender: Contender | undefined, { usages }: AdvisorStatement): boolean {
  if (!contender || contender.merged_of.length === 0) return false;
  const { keys, include, where } = contender.candidate.definition;
  const held = new Set([...keys.map(({ column }) => column), ...include]);
  return (
    where === null &&
    usages.some(({ relations }) =>
      relations.some(
        ({ table_oid, columns_read }) =>
          table_oid === contender.table_oid &&
          columns_read !== null &&
          columns_read.length > 0 &&
          columns_read.every((name) => held.has(name)),
      ),
    )
  );
}
