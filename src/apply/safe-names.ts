/** Names that would come out as other ones than the plan's: cut off by the server, or found in another schema first. */
import { type Change, type IndexDefinition, MAX_IDENTIFIER_BYTES } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Drift } from './drift.ts';
import { schemasOfOpclasses } from './index-facts.ts';

/** The server cuts a longer name off with a mere notice: what it made would not be found under the plan's name. */
export function tooLongNames(change: Change): Drift[] {
  const made =
    change.kind === 'index.create'
      ? [change.index.name, ...(change.partitions ?? []).map(({ name }) => name)]
      : change.kind === 'statistics.create'
        ? [change.name]
        : [];
  return made
    .filter((name) => Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES)
    .map((name) => ({
      code: 'name_too_long',
      message: `${name} is longer than the ${MAX_IDENTIFIER_BYTES} bytes that PostgreSQL keeps of a name.`,
    }));
}

/**
 * An operator class by its bare name brings its schema into the search path. A function or operator there that has the
 * name of one of pg_catalog's, and is none of an extension's, may fit the arguments better and be taken in its place
 * (CVE-2018-1058): whoever made it would run code with the rights of the table's owner.
 */
export async function shadowingNames(session: TargetSession, index: IndexDefinition): Promise<Drift[]> {
  if (index.where === null && index.keys.every(({ expression }) => expression === null)) return [];
  const schemas = await schemasOfOpclasses(session, index);
  if (schemas.length === 0) return [];
  const rows = await session.query<{ name: string }>(
    `SELECT format('%I.%s', n.nspname, made.name) AS name
     FROM pg_namespace n CROSS JOIN LATERAL (
       SELECT p.proname AS name, p.oid, 'pg_proc'::regclass AS catalog FROM pg_proc p
       WHERE p.pronamespace = n.oid
         AND EXISTS (SELECT FROM pg_proc c WHERE c.proname = p.proname AND c.pronamespace = 'pg_catalog'::regnamespace)
       UNION ALL
       SELECT o.oprname, o.oid, 'pg_operator'::regclass FROM pg_operator o
       WHERE o.oprnamespace = n.oid
         AND EXISTS (SELECT FROM pg_operator c WHERE c.oprname = o.oprname AND c.oprnamespace = 'pg_catalog'::regnamespace)
     ) AS made
     WHERE n.nspname = ANY ($1::text[]) AND NOT EXISTS (
       SELECT FROM pg_depend d WHERE d.classid = made.catalog AND d.objid = made.oid AND d.deptype = 'e')
     ORDER BY 1 LIMIT 5`,
    [schemas],
  );
  return rows.length === 0
    ? []
    : [
        {
          code: 'search_path_unsafe',
          message: `The operator class of this index is in a schema that also has ${rows.map(({ name }) => name).join(', ')}, which could be taken for PostgreSQL's own of that name in its expression or predicate. Move the extension to a schema of its own.`,
        },
      ];
}
