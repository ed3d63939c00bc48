/**
 * The role that a change is made with: the table's or database's owner, taken on by SET ROLE, so that the login role needs no rights
 * of its own and what is made belongs to whom the table belongs (CREATE STATISTICS gives its object to the current
 * role).
 */
import { type Change, quoteIdentifier, tableOf } from '../domain/index.ts';
import type { openTarget, TargetSession } from '../target/index.ts';

type OpenSession = typeof openTarget;

/** From here on a membership says for itself whether SET ROLE is allowed. */
const SET_OPTION_SINCE = 160_000;

/** What pg_has_role() is asked for: may this role SET ROLE? */
export const setRolePrivilege = (serverVersionNum: number): string =>
  serverVersionNum >= SET_OPTION_SINCE ? 'SET' : 'MEMBER';

/** Sessions that write are the owner's of the change's table; those that only read stay the login's, which sees more. */
export function asOwner(open: OpenSession, change: Change): OpenSession {
  const table = tableOf(change);
  const ofDatabase = change.kind === 'database.setting';
  if (table === null && !ofDatabase) return open;
  return async (dsn, options) => {
    const session = await open(dsn, options);
    if (options.readOnly) return session;
    try {
      await (table === null ? setDatabaseOwner(session) : setOwner(session, table));
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  };
}

/**
 * An owner that may not create in the table's schema could make no index there: then the login role stays, which the
 * preflight has found to have the rights.
 */
async function setOwner(
  session: TargetSession,
  { schema, table }: { schema: string; table: string },
): Promise<void> {
  const [row] = await session.query<{ owner: string; takes_over: boolean }>(
    `SELECT pg_get_userbyid(c.relowner)::text AS owner,
            pg_get_userbyid(c.relowner) <> current_user
              AND pg_has_role(c.relowner, '${setRolePrivilege(session.server_version_num)}')
              AND has_schema_privilege(c.relowner, n.oid, 'CREATE')
              AND has_database_privilege(c.relowner, current_database(), 'TEMPORARY') AS takes_over
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  );
  if (row?.takes_over) await session.query(`SET ROLE ${quoteIdentifier(row.owner)}`);
}

/** ALTER DATABASE is its owner's: that role is taken on where the login does not inherit its rights. */
async function setDatabaseOwner(session: TargetSession): Promise<void> {
  const [row] = await session.query<{ owner: string; takes_over: boolean }>(
    `SELECT pg_get_userbyid(datdba)::text AS owner,
            NOT pg_has_role(datdba, 'USAGE')
              AND pg_has_role(datdba, '${setRolePrivilege(session.server_version_num)}') AS takes_over
     FROM pg_database WHERE datname = current_database()`,
  );
  if (row?.takes_over) await session.query(`SET ROLE ${quoteIdentifier(row.owner)}`);
}
