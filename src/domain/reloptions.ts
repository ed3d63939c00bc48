/** A change of storage parameters, table by table. */
import type { Change } from './change.ts';

/** One table of the change. */
export interface ReloptionsOfTable {
  schema: string;
  table: string;
  /** What each parameter is to be; null: taken off the table. */
  wanted: Record<string, string | null>;
  /** What each was when advised; null: not set on the table. */
  previous: Record<string, string | null>;
}

/** The tables that the change names, its first one first. */
export function reloptionsByTable(
  change: Extract<Change, { kind: 'table.reloptions' }>,
): ReloptionsOfTable[] {
  const wanted: Record<string, string | null> = {
    ...change.set,
    ...Object.fromEntries((change.reset ?? []).map((name) => [name, null])),
  };
  return [change, ...(change.others ?? [])].map(({ schema, table, previous }) => ({
    schema,
    table,
    wanted,
    previous: Object.fromEntries(Object.keys(wanted).map((name) => [name, previous[name] ?? null])),
  }));
}
