/** The tables that hold the rows of a table. */
import type { TableRow } from './snapshot.ts';

/**
 * The table itself or, where it is partitioned, all leaves below it, foreign tables left out: those that VACUUM works on.
 * PostgreSQL keeps no time of it for the partitioned table itself. Empty: there is no such table.
 */
export function leavesOf(
  tables: readonly TableRow[],
  { schema, table }: { schema: string; table: string },
): TableRow[] {
  const top = tables.find((row) => row.schema === schema && row.name === table);
  if (!top) return [];
  if (top.relkind !== 'p') return [top];
  const below = new Map<number, TableRow[]>();
  for (const row of tables) {
    if (row.is_partition && row.parent_oid !== null) {
      below.set(row.parent_oid, [...(below.get(row.parent_oid) ?? []), row]);
    }
  }
  const leaves: TableRow[] = [];
  const open = [top];
  for (let one = open.pop(); one; one = open.pop()) {
    for (const row of below.get(one.oid) ?? []) {
      if (row.relkind === 'p') open.push(row);
      else if (row.relkind !== 'f') leaves.push(row);
    }
  }
  return leaves;
}

/** Leaves that both have, by OID: one that was made meanwhile was not there to be worked on. */
export function sameLeaves(
  earlier: readonly TableRow[],
  later: readonly TableRow[],
  table: { schema: string; table: string },
): [was: TableRow, is: TableRow][] {
  const before = new Map(leavesOf(earlier, table).map((row) => [row.oid, row]));
  return leavesOf(later, table).flatMap((is) => {
    const was = before.get(is.oid);
    return was ? [[was, is]] : [];
  });
}
