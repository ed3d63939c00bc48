/**
 * Row-level security. A twin without it plans as nobody whom policies bind. With it every role of the target that
 * matters has one here that may do no more than look at empty tables: it is bound by the same policies, owns the same
 * tables, and its statements are planned under it (role-settings.ts).
 */
import type pg from 'pg';
import {
  type Limit,
  type PolicyRow,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type RoleRow,
  type Snapshot,
  type TableRow,
} from '../../domain/index.ts';
import { Builder, type Definition } from './builder.ts';
import { PLANNER_ROLE, READER_ROLE } from './session.ts';

/** Of the roles that nothing here names at most so many get one of theirs, who can log in first. */
const MOST_FURTHER_ROLES = 1_000;
/** All that a role of the twin may do: read and write tables that hold nothing. */
const RIGHTS = 'pg_read_all_data, pg_write_all_data';
const COMMANDS: Record<string, string> = { r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE', '*': 'ALL' };

/** The twin's role for each of the target's; no entry: policies are left out of what that role runs. */
export type TwinRoles = ReadonlyMap<string, string>;

/** Tables that the twin has policies on. */
export function guardedTables(snapshot: Snapshot): TableRow[] {
  return snapshot.tables.filter((table) => table.row_security);
}

/**
 * Makes roles and policies and gives tables and views their owners. Last of all: nothing else is made with the rights
 * of the roles that own them afterwards.
 * @param owner the session that owns everything so far: a policy's text is never run by a superuser.
 */
export async function buildPolicies(
  admin: pg.Client,
  owner: pg.Client,
  snapshot: Snapshot,
): Promise<{ roles: TwinRoles; limits: Limit[] }> {
  const tables = guardedTables(snapshot);
  const { policies, views } = snapshot.schema;
  const known = new Map((snapshot.instance?.roles ?? []).map((role) => [role.name, role]));
  if (tables.length === 0) return { roles: new Map(), limits: [] };
  if (policies === undefined || known.size === 0) {
    return { roles: new Map(), limits: [notSimulated(tables, 'policies or roles were not collected')] };
  }
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const wanted = policies.filter((policy) => byOid.has(policy.table_oid));
  const roles = await createRoles(
    admin,
    [
      ...wanted.flatMap((policy) => policy.roles),
      ...tables.map((table) => table.owner),
      ...views.flatMap((view) => view.owner ?? []),
      ...snapshot.statements.flatMap((statement) => statement.user ?? []),
    ],
    known,
  );
  const builder = new Builder(owner);
  await builder.run(
    wanted.map((policy) => definition(byOid.get(policy.table_oid) as TableRow, policy, roles)),
  );
  await builder.retry();
  const complete = await havingAll(admin, tables, wanted);
  await owner.query(
    [
      ...complete.flatMap((table) => [
        `ALTER TABLE ${nameOf(table)} ENABLE ROW LEVEL SECURITY`,
        ...(table.row_security_forced ? [`ALTER TABLE ${nameOf(table)} FORCE ROW LEVEL SECURITY`] : []),
      ]),
    ].join(';'),
  );
  await giveAway(admin, snapshot, complete, roles);
  const limits = builder.limits();
  const incomplete = tables.filter((table) => !complete.includes(table));
  if (incomplete.length > 0)
    limits.push(notSimulated(incomplete, 'a policy of theirs could not be rebuilt', 'policy_not_rebuilt'));
  const unbound = new Set(
    snapshot.statements.map((row) => row.user).filter((user) => user === null || !known.has(user)),
  );
  if (complete.length > 0 && unbound.size > 0) {
    limits.push(
      notSimulated(
        complete,
        'the role is not known',
        'policies_not_simulated',
        'Statements whose role is not known',
      ),
    );
  }
  // Who is known to the target, and no other: a statement of nobody's is planned as it was written.
  return { roles: new Map([...roles].filter(([name]) => known.has(name))), limits };
}

const nameOf = (table: { schema: string; name: string }) => quoteQualified(table.schema, table.name);

function notSimulated(
  tables: readonly TableRow[],
  reason: string,
  code = 'policies_not_simulated',
  what = 'Statements',
): Limit {
  const names = tables.map((table) => `${table.schema}.${table.name}`);
  const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? `, … (${names.length})` : ''}`;
  return {
    scope: 'twin',
    code,
    message: `${what} on ${shown} are planned without the conditions of row-level security: ${reason}.`,
    remedy: null,
  };
}

/**
 * A role for each that is named, for those whose rights they have, and for who else may ask. None has a right that
 * the target's has, other than to pass by policies.
 */
async function createRoles(
  admin: pg.Client,
  named: readonly string[],
  known: ReadonlyMap<string, RoleRow>,
): Promise<Map<string, string>> {
  const all = new Set<string>();
  const waiting = named.filter((name) => name !== 'public');
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    waiting.push(...(known.get(name)?.member_of ?? []));
  }
  const further = [...known.values()].toSorted((a, b) => Number(b.can_login) - Number(a.can_login));
  for (const role of further.slice(0, MOST_FURTHER_ROLES)) {
    all.add(role.name);
    for (const other of role.member_of ?? []) all.add(other);
  }
  const { rows } = await admin.query<{ rolname: string }>('SELECT rolname FROM pg_roles');
  const taken = new Set(rows.map((row) => row.rolname));
  const roles = new Map<string, string>();
  for (const name of all) {
    // Predefined roles give rights, and `postgres` is this server's superuser: another stands in for them.
    const free = !taken.has(name) && !name.startsWith('pg_') && !['none', 'public', ''].includes(name);
    roles.set(name, free ? name : `pgluthier_role_${roles.size + 1}`);
  }
  const statements = [
    `CREATE ROLE ${READER_ROLE} BYPASSRLS IN ROLE ${RIGHTS}`,
    // Up to 15 what a role inherits is decided by itself, so it inherits of nobody and is somebody from the start.
    `ALTER ROLE ${PLANNER_ROLE} NOINHERIT`,
    `GRANT ${READER_ROLE} TO ${PLANNER_ROLE}`,
    `ALTER ROLE ${PLANNER_ROLE} SET role = ${quoteLiteral(READER_ROLE)}`,
  ];
  for (const [name, own] of roles) {
    const facts = known.get(name);
    const passes = facts?.is_superuser || facts?.bypasses_rls ? ' BYPASSRLS' : '';
    statements.push(
      `CREATE ROLE ${quoteIdentifier(own)}${passes} IN ROLE ${RIGHTS}`,
      `GRANT ${quoteIdentifier(own)} TO ${PLANNER_ROLE}`,
    );
  }
  for (const [name, own] of roles) {
    for (const other of known.get(name)?.member_of ?? []) {
      const group = roles.get(other);
      if (group !== undefined) statements.push(`GRANT ${quoteIdentifier(group)} TO ${quoteIdentifier(own)}`);
    }
  }
  await admin.query(statements.join(';'));
  return roles;
}

function definition(table: TableRow, policy: PolicyRow, roles: ReadonlyMap<string, string>): Definition {
  const names = policy.roles.map((name) =>
    name === 'public' ? 'PUBLIC' : quoteIdentifier(roles.get(name) ?? name),
  );
  return {
    what: `policy ${policy.name} of ${table.schema}.${table.name}`,
    sql: [
      `CREATE POLICY ${quoteIdentifier(policy.name)} ON ${nameOf(table)}`,
      `AS ${policy.permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${COMMANDS[policy.command] ?? 'ALL'}`,
      `TO ${names.length > 0 ? names.join(', ') : quoteIdentifier(READER_ROLE)}`,
      policy.using_expression === null ? '' : `USING (${policy.using_expression}\n)`,
      policy.check_expression === null ? '' : `WITH CHECK (${policy.check_expression}\n)`,
    ]
      .filter(Boolean)
      .join(' '),
  };
}

/** Without one of its policies a table would show less, or more, than the target's: then it has none. */
async function havingAll(
  admin: pg.Client,
  tables: readonly TableRow[],
  wanted: readonly PolicyRow[],
): Promise<TableRow[]> {
  const counts = new Map<number, number>();
  for (const policy of wanted) counts.set(policy.table_oid, (counts.get(policy.table_oid) ?? 0) + 1);
  const { rows } = await admin.query<{ position: number; made: number }>(
    `SELECT given.position::int4 AS position, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)::int4 AS made
     FROM unnest($1::name[], $2::name[]) WITH ORDINALITY AS given (schema, name, position)
     JOIN pg_namespace n ON n.nspname = given.schema
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = given.name AND c.relkind IN ('r', 'p')`,
    [tables.map((table) => table.schema), tables.map((table) => table.name)],
  );
  return rows.flatMap(({ position, made }) => {
    const table = tables[position - 1];
    return table && made === (counts.get(table.oid) ?? 0) ? [table] : [];
  });
}

/** Policies pass an owner by, and what a view reads is read as its owner, unless it says otherwise. */
async function giveAway(
  admin: pg.Client,
  snapshot: Snapshot,
  tables: readonly TableRow[],
  roles: ReadonlyMap<string, string>,
): Promise<void> {
  const items = [
    ...tables.map((table) => ({ ...table, owner: table.owner })),
    ...snapshot.schema.views.flatMap((view) =>
      view.owner === undefined ? [] : [{ ...view, owner: view.owner }],
    ),
  ];
  const given = items.flatMap((item) => {
    const role = roles.get(item.owner);
    return role === undefined ? [] : [{ schema: item.schema, name: item.name, role }];
  });
  // As ALTER … OWNER does it, but for what is not there and without a walk over dependencies.
  await admin.query(
    `UPDATE pg_class SET relowner = r.oid
     FROM unnest($1::name[], $2::name[], $3::name[]) AS given (schema, name, role)
     JOIN pg_namespace n ON n.nspname = given.schema JOIN pg_roles r ON r.rolname = given.role
     WHERE pg_class.relnamespace = n.oid AND pg_class.relname = given.name AND pg_class.relkind IN ('r', 'p', 'v')`,
    [given.map((item) => item.schema), given.map((item) => item.name), given.map((item) => item.role)],
  );
}
