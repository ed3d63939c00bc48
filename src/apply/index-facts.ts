/** What makes one index the same as another, read from the catalog in PostgreSQL's own normal form. */
import {
  type IndexDefinition,
  quoteIdentifier,
  quoteQualified,
  renderIndexDefinition,
} from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { canonicalJson } from './canonical-json.ts';

/** Everything that decides which queries an index can serve and which writes it refuses. */
export interface IndexForm {
  method: string;
  is_unique: boolean;
  /** Columns and deparsed expressions of the keys, then of INCLUDE. */
  keys: string[];
  include: string[];
  opclasses: string[];
  /** Whether each operator class is its type's default. */
  default_opclasses: boolean[];
  collations: string[];
  /** Whether each key has its column's own collation; true for expressions. */
  own_collations: boolean[];
  /** pg_index.indoption: bit 0 DESC, bit 1 NULLS FIRST. */
  options: number[];
  predicate: string | null;
}

export interface IndexFacts {
  oid: number;
  schema: string;
  name: string;
  table_oid: number;
  table: string;
  relkind: string;
  definition: string;
  is_valid: boolean;
  is_replica_identity: boolean;
  is_primary: boolean;
  is_exclusion: boolean;
  is_clustered: boolean;
  /** Attached to a partitioned index. */
  is_attached: boolean;
  /** Constraints that it backs or that lean on it (foreign keys elsewhere). */
  constraints: string[];
  comment: string | null;
  size_bytes: number;
  form: IndexForm;
}

/** One row an index; `x` is pg_index, `i` its pg_class row. */
const FACTS = `
  SELECT i.oid, n.nspname AS schema, i.relname AS name, x.indrelid AS table_oid, t.relname AS table,
         i.relkind::text AS relkind, pg_get_indexdef(i.oid) AS definition,
         x.indisvalid AND x.indisready AND x.indislive AS is_valid, x.indisreplident AS is_replica_identity,
         x.indisprimary AS is_primary, x.indisexclusion AS is_exclusion, x.indisclustered AS is_clustered,
         EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.oid) AS is_attached,
         ARRAY(SELECT conname::text FROM pg_constraint k WHERE k.conindid = i.oid ORDER BY 1) AS constraints,
         obj_description(i.oid, 'pg_class') AS comment,
         pg_relation_size(i.oid) AS size_bytes,
         jsonb_build_object(
           'method', m.amname,
           'is_unique', x.indisunique,
           'keys', (SELECT jsonb_agg(pg_get_indexdef(i.oid, g, false) ORDER BY g)
                    FROM generate_series(1, x.indnkeyatts) g),
           'include', (SELECT coalesce(jsonb_agg(pg_get_indexdef(i.oid, g, false) ORDER BY g), '[]')
                       FROM generate_series(x.indnkeyatts + 1, x.indnatts) g),
           'opclasses', (SELECT jsonb_agg(onsp.nspname || '.' || o.opcname ORDER BY u.ordinality)
                         FROM unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, ordinality)
                         JOIN pg_opclass o ON o.oid = u.oid
                         JOIN pg_namespace onsp ON onsp.oid = o.opcnamespace),
           'default_opclasses', (SELECT jsonb_agg(o.opcdefault ORDER BY u.ordinality)
                         FROM unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, ordinality)
                         JOIN pg_opclass o ON o.oid = u.oid),
           'own_collations', (SELECT jsonb_agg(coalesce(a.attcollation = u.collation, true) ORDER BY g)
                          FROM generate_series(1, x.indnkeyatts) g
                          CROSS JOIN LATERAL (SELECT (x.indcollation::oid[])[g - 1] AS collation,
                                                     (x.indkey::int2[])[g - 1] AS attnum) u
                          LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.attnum
                            AND u.attnum <> 0),
           'collations', (SELECT jsonb_agg(coalesce(cnsp.nspname || '.' || l.collname, '') ORDER BY u.ordinality)
                          FROM unnest(x.indcollation::oid[]) WITH ORDINALITY u(oid, ordinality)
                          LEFT JOIN pg_collation l ON l.oid = u.oid
                          LEFT JOIN pg_namespace cnsp ON cnsp.oid = l.collnamespace),
           'options', to_jsonb(x.indoption::int2[]),
           'predicate', pg_get_expr(x.indpred, x.indrelid)
         ) AS form
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_am m ON m.oid = i.relam`;

/** The index of this name, or null. */
export async function findIndex(
  session: TargetSession,
  schema: string,
  name: string,
): Promise<IndexFacts | null> {
  const [row] = await session.query<IndexFacts>(`${FACTS} WHERE n.nspname = $1 AND i.relname = $2`, [
    schema,
    name,
  ]);
  return row ?? null;
}

/** All indexes of a table. */
export function indexesOf(session: TargetSession, tableOid: number): Promise<IndexFacts[]> {
  return session.query<IndexFacts>(`${FACTS} WHERE x.indrelid = $1 ORDER BY i.relname`, [tableOid]);
}

/**
 * The form that PostgreSQL gives to a definition, found by making the index on an empty temporary copy of the table's
 * columns in a transaction that is rolled back: expressions and predicates have one normal form, and only the server
 * knows it. Null when this role may not make temporary tables or the definition cannot stand on a copy.
 */
export async function canonicalForm(
  session: TargetSession,
  index: IndexDefinition,
): Promise<IndexForm | null> {
  await session.query('BEGIN');
  try {
    // The copy has the table's own name: an expression may qualify its columns with it.
    const copy = `pg_temp.${quoteIdentifier(index.table)}`;
    await session.query(`CREATE TEMPORARY TABLE ${copy} (LIKE ${quoteQualified(index.schema, index.table)})`);
    await withSearchPathOf(session, index, () =>
      session.query(renderIndexDefinition({ ...index, schema: 'pg_temp' }), [], { single: true }),
    );
    const [row] = await session.query<IndexFacts>(
      `${FACTS} WHERE x.indrelid = (SELECT c.oid FROM pg_class c
         WHERE c.relnamespace = pg_my_temp_schema() AND c.relname = $1)`,
      [index.table],
    );
    return row?.form ?? null;
  } catch (error) {
    if (error instanceof TargetQueryError) return null;
    throw error;
  } finally {
    await session.query('ROLLBACK').catch(() => {});
  }
}

/**
 * Runs `work` with the schemas in the search path that the definition's bare operator classes need besides pg_catalog,
 * e.g. where pg_trgm is installed. Nothing else goes into the path: a function of the same name in a schema that others
 * may write to must not be found. All else runs with pg_catalog alone, so that the catalog's texts name their schemas.
 */
export async function withSearchPathOf<T>(
  session: TargetSession,
  index: IndexDefinition,
  work: () => Promise<T>,
): Promise<T> {
  const schemas = await schemasOfOpclasses(session, index);
  // Sessions have pg_catalog alone.
  if (schemas.length === 0) return work();
  const path = ['pg_catalog', ...schemas.map(quoteIdentifier)].join(', ');
  const setPath = (value: string) => session.query("SELECT set_config('search_path', $1, false)", [value]);
  await setPath(path);
  try {
    return await work();
  } finally {
    // Refused where the session is lost or its transaction has failed: then the path goes with it.
    await setPath('pg_catalog').catch(() => {});
  }
}

/** Schemas, besides pg_catalog, of the operator classes that the definition names without one. */
export async function schemasOfOpclasses(session: TargetSession, index: IndexDefinition): Promise<string[]> {
  const bare = index.keys.flatMap(({ opclass }) =>
    opclass === null || opclass.includes('.') ? [] : [opclass],
  );
  if (bare.length === 0) return [];
  const rows = await session.query<{ schema: string }>(
    `SELECT DISTINCT n.nspname AS schema
     FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod
     WHERE m.amname = $1 AND o.opcname = ANY ($2::text[]) AND n.nspname <> 'pg_catalog' ORDER BY 1`,
    [index.method, bare],
  );
  return rows.map(({ schema }) => schema);
}

/** Same method, keys, order, operator classes, predicate: one can stand for the other. */
export function sameForm(a: IndexForm, b: IndexForm): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/**
 * Could `form` be what `definition` asks for? Compares what the definition says outright; texts of expressions and
 * predicates are compared without parentheses, casts and spaces, so that a difference of form alone does not count.
 */
export function resemblesDefinition(form: IndexForm, definition: IndexDefinition): boolean {
  const sameKeys =
    form.keys.length === definition.keys.length &&
    definition.keys.every((key, position) => {
      const found = form.keys[position] ?? '';
      const option = form.options[position] ?? 0;
      const descending = key.direction === 'desc';
      const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
      const ordered = definition.method !== 'btree' || option === (descending ? 1 : 0) + (nullsFirst ? 2 : 0);
      const sameText =
        key.column === null
          ? looseText(found) === looseText(key.expression ?? '')
          : found === quoteIdentifier(key.column);
      const opclass = form.opclasses[position] ?? '';
      const sameClass =
        key.opclass === null
          ? form.default_opclasses[position] === true
          : opclass === key.opclass || opclass.endsWith(`.${key.opclass}`);
      const sameCollation = (key.collation === null) === (form.own_collations[position] === true);
      return ordered && sameText && sameClass && sameCollation;
    });
  return (
    sameKeys &&
    form.method === definition.method &&
    form.is_unique === definition.unique &&
    canonicalJson(form.include) === canonicalJson(definition.include.map(quoteIdentifier)) &&
    (form.predicate === null) === (definition.where === null) &&
    looseText(form.predicate ?? '') === looseText(definition.where ?? '')
  );
}

function looseText(sql: string): string {
  return sql
    .replaceAll(/::(?:"[^"]+"|[a-z_][\w ]*)(?:\[\])?/gi, '')
    .replaceAll(/[\s()"]/g, '')
    .toLowerCase();
}
