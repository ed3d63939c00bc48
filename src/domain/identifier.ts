/** The one place where identifiers and literals become SQL. */

/**
 * Keywords that may not stand bare as every kind of identifier (all but UNRESERVED), of PostgreSQL 18's
 * src/include/parser/kwlist.h; quote_ident() quotes exactly these. A test compares with pg_get_keywords() of a server.
 */
const QUOTED_KEYWORDS: ReadonlySet<string> = new Set(
  'all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references returning right row select session_user setof similar smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable'.split(
    ' ',
  ),
);

/**
 * An identifier as SQL: bare where that is safe, else in double quotes; the same answer as quote_ident().
 * @throws Error for an empty name or one with a NUL, which PostgreSQL cannot hold either.
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) throw new Error('an identifier must not be empty or hold a NUL');
  if (/^[a-z_][a-z0-9_]*$/.test(name) && !QUOTED_KEYWORDS.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.name`, both quoted as needed. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** A string literal, the same answer as quote_literal(): E'' form when a backslash is in it. For statements that take no parameters (DDL); everything else passes parameters. */
export function quoteLiteral(value: string): string {
  if (value.includes('\0')) throw new Error('a literal must not hold a NUL');
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return value.includes('\\') ? `E${quoted}` : quoted;
}

/** PostgreSQL's NAMEDATALEN − 1, bytes. */
export const MAX_IDENTIFIER_BYTES = 63;
