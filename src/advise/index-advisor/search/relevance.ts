/** Which candidates can matter to a statement at all: the others are never asked about. */
import { columnsRead } from '../../../workload/index.ts';
import type { Candidate } from '../candidates.ts';
import type { AdvisorStatement } from '../statement.ts';

/** Columns that stand in the index: of each key, its own or what its expression reads; and what the predicate reads. */
function columnsOf({ definition }: Candidate): { keys: string[][]; where: string[] } {
  return {
    keys: definition.keys.map(({ column, expression }) =>
      column === null ? [...columnsRead(expression)] : [column],
    ),
    where: [...columnsRead(definition.where)],
  };
}

/**
 * False only where the planner can make no use of the index for the statement: its predicate is about columns that no
 * condition names, or it has none, nothing is done with a key of it (so there is no condition and no order: what a result
 * only shows is neither), and it does not hold all that is read (so there is no index-only scan): build_index_paths() of
 * indxpath.c. A predicate that the statement implies makes the index useful whatever its keys are.
 */
export function isRelevant(statement: AdvisorStatement, candidate: Candidate): boolean {
  const { keys, where } = columnsOf(candidate);
  const { definition } = candidate;
  return statement.usages.some((usage) =>
    usage.relations.some((relation) => {
      // A partition or child is read through its parent, too.
      const { oid, parent_oid } = candidate.table.row;
      if (relation.table_oid !== oid && relation.table_oid !== parent_oid) return false;
      const read = relation.columns_read;
      // What only takes new rows is not scanned; what is updated or deleted without a condition is read whole.
      if (relation.is_written && read?.length === 0) return false;
      // count(*) may read any index that is smaller than the table; policies add conditions that no statement shows.
      if (relation.columns_used === null || read?.length === 0 || candidate.table.row.row_security)
        return true;
      const used = new Set(relation.columns_used);
      // Of several columns one that is used is enough to ask: the others' conditions may follow from it.
      if (where.length > 0) return where.some((name) => used.has(name));
      if (keys.some((names) => names.length === 0 || names.some((name) => used.has(name)))) return true;
      const held = new Set([...definition.keys.map(({ column }) => column), ...definition.include]);
      return (read ?? [...candidate.table.columns.keys()]).every((name) => held.has(name));
    }),
  );
}

/** Whether the statement has an expression of the index's keys in it, so that the expression's statistics count. */
export function isInforming(statement: AdvisorStatement, { definition }: Candidate): boolean {
  const expressions = new Set(definition.keys.flatMap((key) => key.expression ?? []));
  if (expressions.size === 0) return false;
  return statement.usages.some((usage) =>
    [...usage.predicates, ...usage.orders.flat(), ...usage.groups.flatMap((group) => group.operands)].some(
      (operand) => operand.expression !== null && expressions.has(operand.expression),
    ),
  );
}
