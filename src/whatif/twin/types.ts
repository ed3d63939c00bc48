/** What ANALYZE would keep statistics of a type with. */
import type pg from 'pg';

export interface TypeFacts {
  /** The type asked for. */
  asked: number;
  /** What values are kept as: a domain's base. */
  oid: number;
  /** Default B-tree class's operators; 0: none. */
  eq: number;
  lt: number;
  /** Element type of an array, text for a tsvector, the range of a multirange; 0: none. */
  element: number;
  element_eq: number;
  is_tsvector: boolean;
  is_range: boolean;
}

/**
 * The operators of the default B-tree class of the type, of what it is binary-coercible to, or of the polymorphic class
 * for enums, arrays, ranges and records: as GetDefaultOpClass() finds them.
 */
const TYPES = `
WITH RECURSIVE base AS (
  SELECT asked, asked AS typ FROM unnest($1::oid[]) AS asked
  UNION ALL
  SELECT base.asked, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype = 'd'
), resolved AS (
  SELECT base.asked, base.typ, t.typtype,
    CASE WHEN base.typ = 'tsvector'::regtype THEN 'text'::regtype::oid
         WHEN t.typcategory = 'A' THEN (
           -- Of an array of a domain's values, the domain's base.
           WITH RECURSIVE element (typ) AS (
             SELECT t.typelem UNION ALL SELECT d.typbasetype FROM element JOIN pg_type d ON d.oid = element.typ WHERE d.typtype = 'd'
           ) SELECT element.typ FROM element JOIN pg_type d ON d.oid = element.typ WHERE d.typtype <> 'd')
         WHEN t.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = t.oid) ELSE 0 END AS element
  FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype <> 'd'
), wanted AS (
  SELECT typ FROM resolved UNION SELECT element FROM resolved WHERE element <> 0
), class AS (
  SELECT DISTINCT ON (w.typ) w.typ, oc.opcfamily, oc.opcintype
  FROM wanted w JOIN pg_type t ON t.oid = w.typ
  JOIN pg_opclass oc ON oc.opcdefault AND oc.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree') AND (
    oc.opcintype = w.typ
    OR oc.opcintype = CASE WHEN t.typtype = 'e' THEN 'anyenum'::regtype WHEN t.typtype = 'r' THEN 'anyrange'::regtype
         WHEN t.typtype = 'm' THEN 'anymultirange'::regtype WHEN t.typtype = 'c' THEN 'record'::regtype
         WHEN t.typcategory = 'A' THEN 'anyarray'::regtype END
    OR EXISTS (SELECT 1 FROM pg_cast k WHERE k.castsource = w.typ AND k.casttarget = oc.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))
  ORDER BY w.typ, oc.opcintype = w.typ DESC, oc.opcintype
), operators AS (
  SELECT class.typ, max(am.amopopr) FILTER (WHERE am.amopstrategy = 3) AS eq, max(am.amopopr) FILTER (WHERE am.amopstrategy = 1) AS lt
  FROM class JOIN pg_amop am ON am.amopfamily = class.opcfamily AND am.amoplefttype = class.opcintype AND am.amoprighttype = class.opcintype
  GROUP BY class.typ
)
SELECT r.asked::int4 AS asked, r.typ::int4 AS oid, coalesce(own.eq, 0)::int4 AS eq, coalesce(own.lt, 0)::int4 AS lt,
  r.element::int4 AS element, coalesce(element.eq, 0)::int4 AS element_eq,
  r.typ = 'tsvector'::regtype AS is_tsvector, r.typtype IN ('r', 'm') AS is_range
FROM resolved r LEFT JOIN operators own ON own.typ = r.typ LEFT JOIN operators element ON element.typ = r.element`;

/** By the OID asked for. */
export async function readTypes(client: pg.Client, oids: Iterable<number>): Promise<Map<number, TypeFacts>> {
  const { rows } = await client.query<TypeFacts>(TYPES, [[...new Set(oids)]]);
  return new Map(rows.map((row) => [row.asked, row]));
}
