/** One change of each kind that is a setting's: of the server, of a role, of a database, of a role in a database. */
import { type Change, quoteIdentifier } from '../../src/domain/index.ts';

/** Of the server: each database that is played on at once has one for itself. Integers that any session may have. */
const OF_SERVER = [
  'from_collapse_limit',
  'join_collapse_limit',
  'geqo_threshold',
  'default_statistics_target',
  'vacuum_cost_limit',
  'vacuum_cost_page_dirty',
];

/** Where settings are changed. */
export interface Scope {
  database: string;
  /** Connects to it. */
  role: string;
  /** The server's setting, and its value without us. */
  parameter: string;
  standard: string;
}

/** @param number of the database among those that are played on at once. */
export function serverParameter(number: number): string {
  const name = OF_SERVER[number];
  if (name === undefined) throw new Error(`there are settings for ${OF_SERVER.length} databases at once`);
  return name;
}

export function settingChanges({ database, role, parameter, standard }: Scope): Change[] {
  const own = (name: string, current_value: string, value: string) => ({
    name,
    value,
    current_value,
    previous: null,
  });
  return [
    {
      kind: 'setting',
      name: parameter,
      value: String(Number(standard) + 1),
      current_value: standard,
      context: 'user',
    },
    { kind: 'role.setting', role, ...own('work_mem', '4MB', '8MB') },
    { kind: 'database.setting', database, ...own('random_page_cost', '4', '2') },
    { kind: 'role.database.setting', role, database, ...own('jit_above_cost', '100000', '200000') },
  ];
}

/** A parameter that no change here is about. */
const BESIDE = 'geqo_effort';

export const shopperOf = (database: string): string => `shopper of ${database}`;

function alter({ database, role }: Pick<Scope, 'database' | 'role'>): string[] {
  const [who, where] = [quoteIdentifier(role), quoteIdentifier(database)];
  return [`ALTER ROLE ${who}`, `ALTER DATABASE ${where}`, `ALTER ROLE ${who} IN DATABASE ${where}`];
}

/** Gives the rows that ours are to be in another value of the parameter beside. */
export const besideOurs = (scope: Pick<Scope, 'database' | 'role'>, value: number): string[] =>
  alter(scope).map((of) => `${of} SET ${BESIDE} = ${value}`);

/** Takes the changes back. */
export function settingsBack(scope: Scope): string[] {
  const [role = '', database = '', both = ''] = alter(scope);
  return [
    `${role} RESET work_mem`,
    `${database} RESET random_page_cost`,
    `${both} RESET jit_above_cost`,
    `ALTER SYSTEM RESET ${scope.parameter}`,
    'SELECT pg_reload_conf()',
  ];
}
