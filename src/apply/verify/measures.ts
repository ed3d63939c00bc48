/** Measures beside the statements' times, from one side's window or snapshot. */
import { leavesOf, type TableDelta, type TableRow } from '../../domain/index.ts';
import type { Side } from './judgement.ts';

export function tableRow(
  side: Side,
  { schema, table }: { schema: string; table: string },
): TableRow | undefined {
  return side.snapshot.tables.find((row) => row.schema === schema && row.name === table);
}

export function tableDelta(side: Side, table: { schema: string; table: string }): TableDelta | undefined {
  const row = tableRow(side, table);
  return row && side.window.tables.find((delta) => delta.oid === row.oid);
}

/** HOT updates over all updates in the window; null without updates. */
export function hotRatio(side: Side, table: { schema: string; table: string }): number | null {
  const delta = tableDelta(side, table);
  return delta && delta.n_tup_upd > 0 ? delta.n_tup_hot_upd / delta.n_tup_upd : null;
}

/** Dead rows over all rows at the window's end, of all leaves where it is partitioned; null for an empty table. */
export function deadRatio(side: Side, table: { schema: string; table: string }): number | null {
  const leaves = leavesOf(side.snapshot.tables, table);
  const dead = leaves.reduce((sum, row) => sum + row.n_dead_tup, 0);
  const rows = leaves.reduce((sum, row) => sum + row.n_live_tup, dead);
  return rows > 0 ? dead / rows : null;
}
