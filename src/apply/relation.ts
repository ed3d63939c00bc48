/** A relation by its names, as the catalog has it now, with what this role may do to it. */
import type { TargetSession } from '../target/index.ts';
import { setRolePrivilege } from './owner-session.ts';

export interface Relation {
  oid: number;
  relkind: string;
  is_partition: boolean;
  /** This role has the owner's rights, or may take them on by SET ROLE: what index DDL and ALTER TABLE ask for. */
  owned: boolean;
  owner: string;
  /** Index DDL also asks for CREATE on the schema. */
  may_create_in_schema: boolean;
  /** ANALYZE is allowed to owners of the table or of the database, and from 17 on with MAINTAIN. */
  may_maintain: boolean;
  reloptions: Record<string, string>;
  toast_reloptions: Record<string, string>;
}

/** The relation, or null when there is none of this name. */
export async function findRelation(
  session: TargetSession,
  schema: string,
  name: string,
): Promise<Relation | null> {
  const maintain = session.server_version_num >= 170000 ? "OR has_table_privilege(c.oid, 'MAINTAIN')" : '';
  const setRole = setRolePrivilege(session.server_version_num);
  const options = (alias: string) =>
    `coalesce((SELECT jsonb_object_agg(o.option_name, o.option_value)
               FROM pg_options_to_table(${alias}.reloptions) o), '{}')`;
  const [row] = await session.query<Relation>(
    `SELECT c.oid, c.relkind::text AS relkind, c.relispartition AS is_partition,
            pg_has_role(c.relowner, 'USAGE') OR pg_has_role(c.relowner, '${setRole}') AS owned,
            pg_get_userbyid(c.relowner) AS owner,
            has_schema_privilege(n.oid, 'CREATE')
              OR (pg_has_role(c.relowner, '${setRole}') AND has_schema_privilege(c.relowner, n.oid, 'CREATE'))
              AS may_create_in_schema,
            pg_has_role(c.relowner, 'USAGE') OR pg_has_role(c.relowner, '${setRole}')
              OR pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE')
              ${maintain} AS may_maintain,
            ${options('c')} AS reloptions, ${options('t')} AS toast_reloptions
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  );
  return row ?? null;
}

/** Names of the columns that the relation has not. */
export async function missingColumns(
  session: TargetSession,
  oid: number,
  names: readonly string[],
): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attname = ANY ($2::text[])`,
    [oid, [...names]],
  );
  const found = new Set(rows.map((row) => row.name));
  return names.filter((name) => !found.has(name));
}
