/** Pages that a B-tree would have after REINDEX: the index advisor's model of a build, with what is known of this index. */
import type {
  ColumnRow,
  IndexDefinition,
  IndexKey,
  IndexRow,
  Snapshot,
  TableRow,
} from '../../domain/index.ts';
import { indexSize } from '../index-advisor/size-model.ts';

/** Wider keys may be compressed in the index (TOAST_INDEX_TARGET, a sixteenth of a page). */
const WIDEST_KEY = 500;
/** What a TOAST pointer takes in a row: such values come back into the index, at a width nobody counted. */
const TOAST_POINTER = 18;

/** Default operator classes that tell the type of an expression: type, typlen, typalign. */
const EXPRESSION_TYPES: Readonly<Record<string, [type: string, typlen: number, typalign: string]>> = {
  bool_ops: ['boolean', 1, 'c'],
  date_ops: ['date', 4, 'i'],
  float4_ops: ['real', 4, 'i'],
  float8_ops: ['double precision', 8, 'd'],
  int2_ops: ['smallint', 2, 's'],
  int4_ops: ['integer', 4, 'i'],
  int8_ops: ['bigint', 8, 'd'],
  numeric_ops: ['numeric', -1, 'i'],
  text_ops: ['text', -1, 'i'],
  text_pattern_ops: ['text', -1, 'i'],
  timestamp_ops: ['timestamp without time zone', 8, 'd'],
  timestamptz_ops: ['timestamp with time zone', 8, 'd'],
  uuid_ops: ['uuid', 16, 'c'],
};

export interface BtreeInput {
  index: IndexRow;
  table: TableRow;
  columns: readonly ColumnRow[];
  schema: Snapshot['schema'];
  /** Rows of the table. */
  rows: number;
}

/** Null: statistics of a key are missing, or the model does not know how such a key is stored. */
export function btreePages({ index, table, columns, schema, rows }: BtreeInput): number | null {
  const byNumber = new Map(columns.map((column) => [column.attnum, column]));
  const byName = new Map(columns.map((column) => [column.name, column]));
  const expressions = new Map<string, ColumnRow>();
  const keys: IndexKey[] = [];
  for (const [position, text] of index.keys.entries()) {
    const column = byNumber.get(index.key_attnums[position] ?? 0);
    const stored = column ?? expressionColumn(index, position, schema);
    if (stored === null || !isKnown(stored)) return null;
    if (column === undefined) expressions.set(text, stored);
    keys.push({
      column: column?.name ?? null,
      expression: column === undefined ? text : null,
      opclass: index.opclasses[position] ?? null,
      collation: null,
      direction: 'asc',
      nulls: null,
    });
  }
  const include = index.include.map(unquoted);
  if (include.some((name) => !isKnown(byName.get(name)))) return null;
  const share = keptShare(index, table);
  if (share === null) return null;
  const definition: IndexDefinition = {
    schema: index.schema,
    table: index.table,
    name: index.name,
    method: 'btree',
    unique: index.is_unique,
    keys,
    include,
    where: index.predicate,
    options: index.reloptions,
  };
  return indexSize({
    definition,
    // The rows of now, whatever the pages: the model takes the density of the last look else.
    table: {
      row: { ...table, reltuples: rows, relpages: table.main_pages },
      columns: new Map(columns.map((column) => [column.name, column])),
      indexes: [],
      names: { taken: new Set(), columns: new Map() },
      referred: new Map(),
      sampled_rows: 0,
    },
    selectivity: share,
    expressions,
    statistics: schema.extended_statistics,
  }).pages;
}

/** Share of the rows that a partial index holds, as the last ANALYZE or VACUUM counted them; null: it did not. */
function keptShare(index: IndexRow, table: TableRow): number | null {
  if (index.predicate === null) return 1;
  if (index.reltuples < 0 || table.reltuples <= 0) return null;
  return Math.min(1, index.reltuples / table.reltuples);
}

function isKnown(column: ColumnRow | undefined): boolean {
  if (column === undefined) return false;
  // name is stored without its padding in an index (opckeytype cstring).
  if (column.type === 'name') return false;
  if (column.typlen > 0) return column.stats !== null || column.not_null;
  if (column.stats === null) return false;
  const { avg_width, histogram_bounds, most_common_vals } = column.stats;
  const moved = avg_width === TOAST_POINTER && histogram_bounds === null && most_common_vals === null;
  return avg_width <= WIDEST_KEY && !moved;
}

/** An expression as if it were a column: ANALYZE keeps its statistics under the index, its operator class tells the type. */
function expressionColumn(index: IndexRow, position: number, schema: Snapshot['schema']): ColumnRow | null {
  const found = schema.expression_stats?.find(
    (each) => each.index_oid === index.oid && each.attnum === position + 1,
  );
  const opclass = index.opclasses[position]?.split('.').at(-1) ?? '';
  const [type, typlen, typalign] = EXPRESSION_TYPES[opclass] ?? [];
  if (found === undefined || type === undefined || typlen === undefined || typalign === undefined)
    return null;
  return {
    table_oid: index.table_oid,
    schema: index.schema,
    table: index.table,
    name: index.keys[position] ?? '',
    attnum: 0,
    type,
    typlen,
    typalign,
    typtype: 'b',
    typcategory: type === 'text' ? 'S' : type === 'numeric' ? 'N' : 'U',
    not_null: false,
    collation: null,
    generated: '',
    identity: '',
    default_expression: null,
    stattarget: null,
    stats: found.stats,
  };
}

/** pg_get_indexdef() quotes names where that is needed. */
function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
