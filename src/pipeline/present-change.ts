/** Is a change there already? What a snapshot shows of it. */
import {
  type IndexForm,
  reloptionOf,
  resemblesDefinition,
  sameSettingValue,
  scopedSettingHolds,
} from '../apply/index.ts';
import {
  type Change,
  type IndexRow,
  quoteIdentifier,
  reloptionsByTable,
  type Snapshot,
  scopeOf,
} from '../domain/index.ts';
import { readIndex } from '../workload/index.ts';
import { maintained } from './maintained.ts';

/** Values of sessions like our own, not of the server. */
const OWN_SOURCES: ReadonlySet<string> = new Set(['user', 'database', 'database user']);

/**
 * The change as it stands in the snapshot, null where it does not or cannot be told: an index of the same definition
 * under whatever name, valid; an index gone, from a table that is there; a setting or a parameter in force; statistics
 * of the same columns. What leaves nothing but a newer state is held against an earlier one: an index of the same
 * definition in another file (REINDEX), a newer time of somebody's VACUUM or ANALYZE (autovacuum's has its own).
 * @param reference the target when the change was advised; null: not known, and those kinds cannot be told.
 */
export async function presentIn(
  snapshot: Snapshot,
  change: Change,
  reference: Snapshot | null = null,
): Promise<Change | null> {
  switch (change.kind) {
    case 'index.reindex':
    case 'vacuum':
    case 'analyze':
      return reference && maintained(snapshot, reference, change) ? change : null;
    case 'statistics.create':
      return presentStatistics(snapshot, change);
    case 'index.create':
      return presentIndex(snapshot, change);
    case 'index.drop':
      return isGone(snapshot, change) ? change : null;
    case 'setting': {
      const row = snapshot.settings.find(({ name }) => name === change.name);
      if (!row || row.pending_restart || row.reset_val === null || OWN_SOURCES.has(row.source)) return null;
      return sameSettingValue(row.reset_val, change.value, row) ? change : null;
    }
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting': {
      const scope = scopeOf(change);
      const row = snapshot.settings.find(({ name }) => name === change.name);
      const own = snapshot.setting_overrides.find(
        ({ role, database, name }) =>
          role === scope.role &&
          database === scope.database &&
          name.toLowerCase() === change.name.toLowerCase(),
      );
      return row && scopedSettingHolds(change, own?.value ?? null, row) ? change : null;
    }
    case 'table.reloptions': {
      const inForce = reloptionsByTable(change).every(({ schema, table, wanted }) => {
        const row = snapshot.tables.find((one) => one.schema === schema && one.name === table);
        return row && Object.entries(wanted).every(([name, value]) => reloptionOf(row, name) === value);
      });
      return inForce ? change : null;
    }
    default:
      return null;
  }
}

async function presentIndex(
  { indexes }: Snapshot,
  change: Extract<Change, { kind: 'index.create' }>,
): Promise<Change | null> {
  const { index, partitions } = change;
  for (const row of indexes) {
    if (row.schema !== index.schema || row.table !== index.table || !row.is_valid || !row.is_ready) continue;
    if ((row.relkind === 'I') !== (partitions?.length ?? 0) > 0) continue;
    if (change.definition === undefined) {
      const { form, unsaid } = await formOf(row);
      if (unsaid || !resemblesDefinition(form, index)) continue;
    } else if (nameless(row.name, row.definition) !== nameless(index.name, change.definition)) {
      continue;
    }
    if (Object.entries(index.options).some(([name, value]) => row.reloptions[name] !== value)) continue;
    const parts = partitions?.filter(({ schema, name }) =>
      indexes.some((one) => one.schema === schema && one.name === name),
    );
    // Its partitions' indexes have names of their own: which they are, a snapshot does not tell.
    const known = parts?.length === partitions?.length;
    return {
      kind: 'index.create',
      index: { ...index, name: row.name },
      ...(partitions && known ? { partitions } : {}),
      ...(change.definition === undefined ? {} : { definition: row.definition }),
    };
  }
  return null;
}

/** The facts that definitions are compared by, out of a snapshot. */
async function formOf(row: IndexRow): Promise<{ form: IndexForm; unsaid: boolean }> {
  const { definition, unsaid } = await readIndex(row);
  const form: IndexForm = {
    method: row.method,
    is_unique: row.is_unique,
    keys: row.keys,
    include: row.include,
    opclasses: row.opclasses,
    // pg_get_indexdef names an operator class or a collation only where it is not the default.
    default_opclasses: definition.keys.map(({ opclass }) => opclass === null),
    collations: definition.keys.map(({ collation }) => collation ?? ''),
    own_collations: definition.keys.map(({ collation }) => collation === null),
    options: row.options,
    predicate: row.predicate,
  };
  return { form, unsaid: unsaid.length > 0 };
}

/** pg_statistic_ext.stxkind of each kind. */
const STATISTICS_LETTERS = { ndistinct: 'd', dependencies: 'f', mcv: 'm' } as const;

/** Statistics of the same columns and nothing else, with at least the kinds that were advised, under any name. */
function presentStatistics(
  { schema, tables }: Snapshot,
  change: Extract<Change, { kind: 'statistics.create' }>,
): Change | null {
  const table = tables.find((row) => row.schema === change.schema && row.name === change.table);
  const columns = change.columns.toSorted().join('\n');
  const found = schema.extended_statistics.find(
    (row) =>
      row.table_oid === table?.oid &&
      row.schema === change.schema &&
      row.expressions.length === 0 &&
      row.columns.toSorted().join('\n') === columns &&
      change.kinds.every((kind) => row.kinds.includes(STATISTICS_LETTERS[kind])),
  );
  return found ? { ...change, name: found.name } : null;
}

/** Gone, not renamed; and its table not gone with it. */
function isGone({ tables, indexes }: Snapshot, change: Extract<Change, { kind: 'index.drop' }>): boolean {
  if (!tables.some(({ schema, name }) => schema === change.schema && name === change.table)) return false;
  const renamed = (row: IndexRow) =>
    nameless(row.name, row.definition) === nameless(change.name, change.definition);
  return !indexes.some(
    (row) =>
      row.schema === change.schema &&
      row.table === change.table &&
      (row.name === change.name || renamed(row)),
  );
}

/** A definition without the name of its index, which stands right behind INDEX. */
const nameless = (name: string, definition: string) =>
  definition.replace(` ${quoteIdentifier(name)} ON `, ' ON ');
