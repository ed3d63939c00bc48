/** A database with traffic's tables, all changes that are played on it, and the way back to where it was. */
import { type Change, quoteIdentifier } from '../../src/domain/index.ts';
import { BACK, changes, PARTITIONED_BACK, partitionedChanges, SCHEMA } from './changes.ts';
import {
  besideOurs,
  type Scope,
  serverParameter,
  settingChanges,
  settingsBack,
  shopperOf,
} from './setting-changes.ts';
import { connect } from './traffic.ts';

export interface Stage {
  dsn: string;
  /** Connects to the database over and over while changes are made. */
  role: string;
  /** Each kind of change that the service can apply, by the name that it is reported under. */
  changes: { name: string; change: Change }[];
  /** Takes back whatever of them was done. */
  putBack(): Promise<void>;
  /** What a dropped database leaves on the server. */
  end(): Promise<void>;
}

/**
 * @param rows of its table.
 * @param number of this database among those of the server that are played on at once.
 */
export async function stage(dsn: string, rows: number, number = 0): Promise<Stage> {
  const client = await connect(dsn, 'stage');
  const parameter = serverParameter(number);
  const { rows: found } = await client.query<{ database: string; standard: string }>(
    'SELECT current_database() AS database, current_setting($1) AS standard',
    [parameter],
  );
  const { database = '', standard = '' } = found[0] ?? {};
  const role = shopperOf(database);
  const scope: Scope = { database, role, parameter, standard };
  await client.query(SCHEMA(rows));
  await client.query(`CREATE ROLE ${quoteIdentifier(role)} LOGIN`);
  for (const statement of besideOurs(scope, 5)) await client.query(statement);
  await client.end();
  const run = async (statements: readonly string[]) => {
    const session = await connect(dsn, 'stage');
    for (const statement of statements) await session.query(statement);
    await session.end();
  };
  return {
    dsn,
    role,
    changes: [...changes, ...settingChanges(scope), ...partitionedChanges].map((change) => ({
      name: `${change.kind}${'partitions' in change ? ' on partitions' : ''}`,
      change,
    })),
    putBack: async () => {
      await run([...BACK, ...PARTITIONED_BACK, ...settingsBack(scope)]);
      // The postmaster reads its files some time after it was told to; the next apply's session is to have them.
      for (let now = ''; now !== standard; ) {
        const session = await connect(dsn, 'stage');
        const shown = await session.query<{ now: string }>('SELECT current_setting($1) AS now', [parameter]);
        now = shown.rows[0]?.now ?? '';
        await session.end();
      }
    },
    end: () => run([...settingsBack(scope), `DROP ROLE ${quoteIdentifier(role)}`]),
  };
}
