/**
 * A snapshot taken apart into what moves (rows of counters, kept as differences within a day), what rarely changes
 * (parts, once per content) and statements' texts (once each); and put together again, exactly.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import {
  type ColumnRow,
  noActivity,
  noCounters,
  noReplication,
  type SchemaFacts,
  type Snapshot,
} from '../domain/index.ts';
import { decodeRows, type EncodedRows, encodeRows, type Row } from './row-delta.ts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);
/** Above 5, brotli takes several times as long for a few percent. */
const BROTLI_QUALITY = 5;

/** Nouns of one or no row, and of many; `parts` says which part stands where. */
const rowNouns = [
  'server',
  'host',
  'counters',
  'statements_info',
  'statements',
  'tables',
  'indexes',
  'parts',
] as const;
type RowNoun = (typeof rowNouns)[number];
export type SnapshotRows = Record<RowNoun, Row[]>;

const keyOf: Record<RowNoun, (row: Row) => string> = {
  server: () => '',
  host: () => '',
  counters: () => '',
  statements_info: () => '',
  statements: (row) => `${row.userid}/${row.dbid}/${row.queryid}/${row.toplevel}`,
  tables: (row) => String(row.oid),
  indexes: (row) => String(row.oid),
  parts: (row) => `${row.noun}/${row.key}`,
};

/** What is kept as it is: every field of a snapshot that has no place among the rows, those of the future included. */
export type SnapshotMeta = Omit<
  Snapshot,
  | Exclude<RowNoun, 'parts'>
  | 'columns'
  | 'settings'
  | 'setting_overrides'
  | 'schema'
  // In the header.
  | 'limits'
>;

type Body = SnapshotMeta & { rows: EncodedNouns };

/** A snapshot in four. */
export interface SnapshotContent {
  meta: SnapshotMeta;
  rows: SnapshotRows;
  /** JSON texts by hash. */
  parts: Map<string, string>;
  /** Statements' texts by hash. */
  texts: Map<string, string>;
}

/** 144 bits of SHA-256, in 24 characters. */
export function contentHash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 24);
}

/** JSON with an error in place of the null that it would make of NaN. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (key, item: unknown) => {
    if (typeof item === 'number' && !Number.isFinite(item)) throw new RangeError(`${key} is ${item}`);
    return item;
  });
}

const asRow = (value: object): Row => value as Row;
const asRows = (value: readonly object[]): Row[] => value as Row[];

/** Rows of one table next to each other, in their order. */
function runsOfTables<T extends { table_oid: number }>(rows: readonly T[]): T[][] {
  const runs: T[][] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    if (run?.[0]?.table_oid === row.table_oid) run.push(row);
    else runs.push([row]);
  }
  return runs;
}

type ColumnEnds = Required<Pick<ColumnRow, 'table_oid' | 'attnum' | 'ends'>>;

function withoutEnds(column: ColumnRow): ColumnRow {
  if (column.ends === undefined) return column;
  const { ends: _ends, ...rest } = column;
  return rest;
}

/** Columns are shared: those with ends become others. */
function withEnds(columns: readonly ColumnRow[], ends: readonly ColumnEnds[]): ColumnRow[] {
  const place = (item: { table_oid: number; attnum: number }) => `${item.table_oid}/${item.attnum}`;
  const known = new Map(ends.map((item) => [place(item), item.ends]));
  return columns.map((column) => {
    const own = known.get(place(column));
    return own === undefined ? column : { ...column, ends: own };
  });
}

export function takeApart(snapshot: Snapshot): SnapshotContent {
  const {
    server,
    host,
    counters,
    statements_info,
    statements: _s,
    tables,
    indexes,
    columns,
    settings,
    setting_overrides,
    schema,
    limits: _l,
    ...meta
  } = snapshot;
  const parts = new Map<string, string>();
  const texts = new Map<string, string>();
  const partRows: Row[] = [];
  const part = (noun: string, key: string | number, value: unknown) => {
    const text = exactJson(value);
    const hash = contentHash(text);
    parts.set(hash, text);
    partRows.push({ noun, key, hash });
  };
  for (const run of runsOfTables(columns.map(withoutEnds))) part('columns', run[0]?.table_oid ?? 0, run);
  // By themselves: those of a table that grows are others each time, all else of its columns is as ANALYZE left it.
  const ends = columns.flatMap((column) =>
    column.ends === undefined
      ? []
      : [{ table_oid: column.table_oid, attnum: column.attnum, ends: column.ends }],
  );
  if (ends.length > 0) part('column_ends', '', ends);
  part('settings', '', settings);
  part('setting_overrides', '', setting_overrides);
  for (const [key, facts] of Object.entries(schema)) part('schema', key, facts);
  const statements = snapshot.statements.map(({ query, ...row }): Row => {
    if (query === null) return { ...row, query_hash: null };
    const query_hash = contentHash(query);
    texts.set(query_hash, query);
    return { ...row, query_hash };
  });
  const rows: SnapshotRows = {
    server: [asRow(server)],
    host: [asRow(host)],
    counters: [asRow(counters)],
    statements_info: statements_info ? [asRow(statements_info)] : [],
    statements,
    tables: asRows(tables),
    indexes: asRows(indexes),
    parts: partRows,
  };
  return { meta, rows, parts, texts };
}

/** Hashes of the parts and texts that the rows refer to. */
export function referredTo(rows: SnapshotRows): { parts: string[]; texts: string[] } {
  const unique = (values: unknown[]) => [
    ...new Set(values.filter((value): value is string => typeof value === 'string')),
  ];
  return {
    parts: unique(rows.parts.map((row) => row.hash)),
    texts: unique(rows.statements.map((row) => row.query_hash)),
  };
}

/**
 * @param parts parsed, by hash: what is put together shares them.
 * @throws Error when a part or a text is missing: the store would lie by leaving it out.
 */
export function putTogether(
  meta: SnapshotMeta & Pick<Snapshot, 'limits'>,
  rows: SnapshotRows,
  parts: ReadonlyMap<string, unknown>,
  texts: ReadonlyMap<string, string>,
): Snapshot {
  const partsOf = (noun: string) =>
    rows.parts
      .filter((row) => row.noun === noun)
      .map((row) => {
        const value = parts.get(row.hash as string);
        if (value === undefined)
          throw new Error(`part ${row.hash} (${noun} ${row.key}) is missing from the store`);
        return { key: String(row.key), value };
      });
  const textOf = (hash: unknown) => {
    if (hash === null) return null;
    const text = texts.get(hash as string);
    if (text === undefined) throw new Error(`statement text ${hash} is missing from the store`);
    return text;
  };
  const { server, host, counters, statements_info: info, statements, tables, indexes } = rows;
  const snapshot = {
    ...meta,
    server: server[0],
    host: host[0],
    counters: { ...noCounters, ...counters[0] },
    statements_info: info[0] ?? null,
    statements: statements.map(({ query_hash, ...row }) => ({ ...row, query: textOf(query_hash) })),
    tables,
    indexes,
    columns: withEnds(
      partsOf('columns').flatMap(({ value }) => value as ColumnRow[]),
      (partsOf('column_ends')[0]?.value ?? []) as ColumnEnds[],
    ),
    settings: partsOf('settings')[0]?.value,
    setting_overrides: partsOf('setting_overrides')[0]?.value,
    schema: Object.fromEntries(
      partsOf('schema').map(({ key, value }) => [key, value]),
    ) as unknown as SchemaFacts,
  };
  return snapshot as unknown as Snapshot;
}

export type EncodedNouns = Partial<Record<RowNoun, EncodedRows>>;

/** @param base rows of the snapshot to write the difference from; null: they stand by themselves. */
export function encodeRowNouns(rows: SnapshotRows, base: SnapshotRows | null): EncodedNouns {
  return Object.fromEntries(
    rowNouns.map((noun) => [noun, encodeRows(rows[noun], base?.[noun] ?? null, keyOf[noun])]),
  );
}

/** @param base as it was given to `encodeRowNouns`. */
export function decodeRowNouns(encoded: EncodedNouns, base: SnapshotRows | null): SnapshotRows {
  return Object.fromEntries(
    rowNouns.map((noun) => {
      const given = encoded[noun];
      return [noun, given ? decodeRows(given, base?.[noun] ?? null) : []];
    }),
  ) as SnapshotRows;
}

/** All of it as compressed JSON, exactly. */
export async function encodeWhole(
  meta: SnapshotMeta,
  rows: SnapshotRows,
  base: SnapshotRows | null,
): Promise<Buffer> {
  return packJson({ ...meta, rows: encodeRowNouns(rows, base) });
}

/** @param base as it was given to `encodeWhole`. */
export async function decodeWhole(
  compressed: Buffer,
  base: SnapshotRows | null,
): Promise<{ meta: SnapshotMeta; rows: SnapshotRows }> {
  const { rows: encoded, ...meta } = (await unpackJson(compressed)) as Body;
  if (meta.format_version !== 1) throw new Error(`snapshot format ${meta.format_version} is not known here`);
  // Bodies of older versions lack these.
  const defaults = { activity: noActivity, replication: noReplication, full_taken_at: null };
  return {
    meta: { ...defaults, ...meta, collected_at: meta.collected_at ?? meta.taken_at },
    rows: decodeRowNouns(encoded, base),
  };
}

/** Brotli over JSON. @throws RangeError for NaN and infinities. */
export async function packJson(value: unknown): Promise<Buffer> {
  const text = Buffer.from(exactJson(value));
  return compress(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  });
}

export async function unpackJson(compressed: Buffer): Promise<unknown> {
  return JSON.parse((await decompress(compressed)).toString('utf8'));
}
