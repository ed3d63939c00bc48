/**
 * What domains check, added once statistics are in. Statistics are written by a superuser, and reading a value of an
 * array or a row that holds a domain's would call the check's functions with a superuser's rights; and a value that a
 * check forbids by now is no less what ANALYZE saw.
 */
import type pg from 'pg';
import { type Limit, quoteQualified, type SchemaFacts } from '../../domain/index.ts';
import { Builder } from './builder.ts';

/** @param admin superuser: a domain inside of a row's type can be made NOT NULL in the catalog alone. */
export async function checkDomains(
  admin: pg.Client,
  owner: pg.Client,
  schema: SchemaFacts,
): Promise<Limit[]> {
  const builder = new Builder(owner);
  await builder.run(
    schema.domains.flatMap((item) =>
      item.checks.map((check) => ({
        what: `check of domain ${item.schema}.${item.name}`,
        // NOT VALID: no row is looked at, and no table that holds the domain within a row's type is in the way.
        sql: `ALTER DOMAIN ${quoteQualified(item.schema, item.name)} ADD ${check}${check.endsWith('NOT VALID') ? '' : ' NOT VALID'}`,
      })),
    ),
  );
  const notNull = schema.domains.filter((item) => item.not_null);
  if (notNull.length > 0) {
    await admin.query(
      `UPDATE pg_type SET typnotnull = true FROM unnest($1::name[], $2::name[]) AS given (schema, name), pg_namespace n
       WHERE n.nspname = given.schema AND pg_type.typnamespace = n.oid AND pg_type.typname = given.name AND pg_type.typtype = 'd'`,
      [notNull.map((item) => item.schema), notNull.map((item) => item.name)],
    );
  }
  return builder.limits();
}
