/** The change that takes another one back: exactly, where what was there before is known. */
import { renderChange } from '../apply/index.ts';
import {
  type Change,
  type IndexRow,
  type PartitionIndex,
  quoteQualified,
  type ReloptionsOfTable,
  reloptionsByTable,
  type Snapshot,
} from '../domain/index.ts';
import { readIndex } from '../workload/index.ts';

/** What is known of the target beside the change. */
export interface RevertFacts {
  /** Of the apply's outcome: `previous_entry` of postgresql.auto.conf is there where PgLuthier wrote the setting. */
  facts: Readonly<Record<string, unknown>>;
  before: Snapshot;
  after: Snapshot;
}

/** The way back. */
export interface Revert {
  change: Change;
  /** SQL for a person, where the change is a finding: nothing that PgLuthier runs. */
  by_hand: string[];
  /** Disk that it takes (+) or frees (−), bytes; null: none, or not known. */
  size_bytes: number | null;
  /** What it does not bring back, for a person. */
  notes: string[];
}

const AUTO_CONF = /(^|[\\/])postgresql\.auto\.conf$/;
const only = (change: Change): Revert[] => [{ change, by_hand: [], size_bytes: null, notes: [] }];

/**
 * Each kind's own way back: an index that was made goes, one that was dropped is built again by its exact definition, a
 * setting gets its earlier entry (or none), a role its earlier value, tables their earlier parameters (one change for
 * each group of tables that had the same). Where there is no such kind, a finding with the SQL. Empty: nothing takes it
 * back (VACUUM, ANALYZE, REINDEX), or it is gone by now.
 */
export async function revertChange(change: Change, known: RevertFacts): Promise<Revert[]> {
  switch (change.kind) {
    case 'index.create':
      return dropAgain(change, known);
    case 'index.drop':
      return buildAgain(change, known);
    case 'setting':
      return only(earlierEntry(change, known));
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting': {
      const { reset, ...back } = change;
      return only({
        ...back,
        value: change.previous ?? change.current_value,
        current_value: change.value,
        previous: reset ? null : change.value,
        ...(change.previous === null ? { reset: true } : {}),
      });
    }
    case 'table.reloptions':
      return earlierParameters(change);
    default:
      return bySql(change);
  }
}

/** As SQL for a person. */
function bySql(change: Change, notes: string[] = []): Revert[] {
  const { rollback } = renderChange(change);
  return rollback.length === 0
    ? []
    : [{ change: { kind: 'finding' }, by_hand: rollback, size_bytes: null, notes }];
}

const rowOf = ({ indexes }: Snapshot, { schema, name }: { schema: string; name: string }) =>
  indexes.find((row) => row.schema === schema && row.name === name);

function dropAgain(change: Extract<Change, { kind: 'index.create' }>, { after }: RevertFacts): Revert[] {
  const { index, partitions = [] } = change;
  const row = rowOf(after, index);
  if (!row) return [];
  const parts = partitions.map((part) => ({ part, row: rowOf(after, part) }));
  const complete = parts.flatMap(({ part, row: found }) =>
    found ? [{ ...part, definition: found.definition }] : [],
  );
  const known = row.relkind === 'I' ? complete.length > 0 && complete.length === parts.length : true;
  if (!known) {
    return [
      {
        change: { kind: 'finding' },
        by_hand: [`DROP INDEX ${quoteQualified(index.schema, index.name)}`],
        size_bytes: null,
        notes: ['Its partitions are not those of the plan: a person drops it.'],
      },
    ];
  }
  const size = [row, ...parts.flatMap(({ row: found }) => found ?? [])].reduce(
    (sum, { size_bytes }) => sum + size_bytes,
    0,
  );
  return [
    {
      change: {
        kind: 'index.drop',
        schema: index.schema,
        table: index.table,
        name: index.name,
        definition: row.definition,
        ...(complete.length > 0 ? { partitions: complete } : {}),
      },
      by_hand: [],
      size_bytes: -size,
      notes: [],
    },
  ];
}

/** From the snapshot before: the typed definition for the checks, the catalog's own text for the statement. */
async function buildAgain(
  change: Extract<Change, { kind: 'index.drop' }>,
  { before, facts }: RevertFacts,
): Promise<Revert[]> {
  const row = rowOf(before, change);
  const comment = typeof facts.restore_comment === 'string' ? facts.restore_comment : null;
  const notes = comment === null ? [] : [`Its comment is not set again: ${comment}`];
  if (!row) return bySql(change, ['The snapshot before does not hold the index.', ...notes]);
  const { definition, unsaid } = await readIndex(row);
  if (!change.partitions) {
    const again: Change = { kind: 'index.create', index: definition, definition: change.definition };
    return [{ change: again, by_hand: [], size_bytes: row.size_bytes, notes }];
  }
  if (unsaid.length > 0) return bySql(change, [`It has ${unsaid.join(' and ')}.`, ...notes]);
  const sizes = change.partitions.map((part): IndexRow | undefined => rowOf(before, part));
  return [
    {
      change: {
        kind: 'index.create',
        index: definition,
        partitions: change.partitions.map(({ definition: _, ...part }): PartitionIndex => part),
      },
      by_hand: [],
      size_bytes: sizes.reduce((sum, found) => sum + (found?.size_bytes ?? 0), 0),
      notes,
    },
  ];
}

/**
 * An entry that PgLuthier replaced is written as it was, one that it added is taken out. Of a change by hand the
 * snapshots tell: an entry of postgresql.auto.conf that was not there before is taken out, else the value of before is
 * written.
 */
function earlierEntry(
  change: Extract<Change, { kind: 'setting' }>,
  { facts, before, after }: RevertFacts,
): Change {
  const was = before.settings.find(({ name }) => name === change.name);
  const is = after.settings.find(({ name }) => name === change.name);
  const back = { ...change, value: change.current_value, current_value: change.value };
  delete back.reset;
  if ('previous_entry' in facts) {
    const { previous_entry } = facts;
    return typeof previous_entry === 'string' ? { ...back, value: previous_entry } : { ...back, reset: true };
  }
  const added =
    AUTO_CONF.test(is?.sourcefile ?? '') && was !== undefined && was.sourcefile !== is?.sourcefile;
  return added ? { ...back, reset: true } : back;
}

function earlierParameters(change: Extract<Change, { kind: 'table.reloptions' }>): Revert[] {
  const groups = new Map<string, ReloptionsOfTable[]>();
  for (const one of reloptionsByTable(change)) {
    const key = JSON.stringify(Object.entries(one.previous).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap(([first, ...others]): Revert[] => {
    if (!first) return [];
    const entries = Object.entries(first.previous);
    const reset = entries.flatMap(([name, value]) => (value === null ? [name] : []));
    return only({
      kind: 'table.reloptions',
      schema: first.schema,
      table: first.table,
      set: Object.fromEntries(entries.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
      ...(reset.length > 0 ? { reset } : {}),
      previous: first.wanted,
      ...(others.length > 0
        ? { others: others.map(({ schema, table, wanted }) => ({ schema, table, previous: wanted })) }
        : {}),
    });
  });
}
