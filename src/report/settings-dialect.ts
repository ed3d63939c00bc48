/** Settings in the words of whoever owns the server: a file, SQL, a cloud's parameters, an operator's manifest. */
import {
  alterScopeStatement,
  quoteLiteral,
  quoteParameter,
  type Report,
  SET_BY_OWNER,
  untakenParameter,
  withinService,
} from '../domain/index.ts';
import { parameterGroup, shellWord, unknownFlags, wholeListOfFlags } from './cloud-commands.ts';

export const settingDialects = [
  'conf',
  'sql',
  'rds',
  'aurora',
  'cloudsql',
  'alloydb',
  'azure',
  'supabase',
  'neon',
  'patroni',
  'cnpg',
] as const;
export type SettingDialect = (typeof settingDialects)[number];

/** One setting as it is proposed. */
export interface DialectSetting {
  name: string;
  /** As a person writes it, with its unit: `4GB`. */
  text: string;
  /** The same as a bare number in pg_settings' own unit, as clouds take it; words stay. */
  bare: string;
  restart: boolean;
  /** Whose sessions it is for, and in which database; neither: the server's. Else it is SQL in every dialect. */
  role?: string | null;
  database?: string | null;
}

/** All settings that a report proposes, as one file, script or manifest fragment. */
export function renderReportSettings(report: Report, dialect: SettingDialect): string {
  const settings = report.recommendations.flatMap(({ setting }) =>
    setting
      ? [
          {
            name: setting.name,
            text: setting.value,
            bare: setting.bare_value,
            restart: setting.restart,
            role: setting.role,
            database: setting.database ?? null,
          },
        ]
      : [],
  );
  const mark = dialect === 'sql' || dialect === 'neon' ? '--' : '#';
  return settings.length > 0 ? renderSettings(settings, dialect) : `${mark} no setting is proposed\n`;
}

/** A file, script or manifest fragment; ends with a line break. */
export function renderSettings(settings: readonly DialectSetting[], dialect: SettingDialect): string {
  const server = settings.filter(({ role, database }) => (role ?? database) == null);
  const scoped = settings.flatMap(({ name, text, role, database }) =>
    (role ?? database) == null
      ? []
      : [`${alterScopeStatement({ role: role ?? null, database: database ?? null }, name, text)};`],
  );
  // In a file, a manifest or a script, what is SQL can only be said.
  const said =
    dialect === 'sql' || dialect === 'neon' ? scoped : scoped.map((line) => `# with psql: ${line}`);
  const taken: DialectSetting[] = [];
  const notes: string[] = [];
  for (const setting of server) {
    const left = leftOut(dialect, setting);
    if (left !== null) {
      notes.push(left);
      continue;
    }
    const bare = withinService(dialect, setting.name, setting.bare);
    taken.push(bare === setting.bare ? setting : { ...setting, bare, text: bare });
    if (bare !== setting.bare)
      notes.push(`# ${setting.name}: ${bare} is the nearest to ${setting.bare} that is taken there`);
  }
  return `${[...(taken.length > 0 ? DIALECTS[dialect](taken) : []), ...notes, ...said].join('\n')}\n`;
}

/** A comment in place of what its owner does not take, with the SQL that sets it where there is any; null: it is taken. */
function leftOut(dialect: SettingDialect, { name, text }: DialectSetting): string | null {
  const better = REFUSED[dialect]?.[name];
  if (better !== undefined) return `# ${name}: ${better}`;
  const untaken = untakenParameter(dialect, name);
  if (untaken === null) return null;
  const { reason, instead } = untaken;
  if (instead === null) return `# ${name}: ${reason}`;
  const scope = {
    role: instead === 'role' ? 'your_role' : null,
    database: instead === 'database' ? 'your_database' : null,
  };
  return `# ${name}: ${reason}; with psql: ${alterScopeStatement(scope, name, text)};`;
}

const RDS_HUGE_PAGES =
  'on by itself in all classes but micro, small and medium; reset it in the parameter group where it was changed';

/**
 * What an owner has better by itself. RDS: "Huge pages for RDS for PostgreSQL" of its user guide. CloudNativePG: huge_pages is
 * among FixedConfigurationParameters of pkg/postgres/configuration.go at 000280e, for which the webhook refuses the whole
 * manifest, and no longer at b122f63. All else that is proposed is on neither list.
 */
const REFUSED: Partial<Record<SettingDialect, Readonly<Record<string, string>>>> = {
  rds: { huge_pages: RDS_HUGE_PAGES },
  aurora: { huge_pages: RDS_HUGE_PAGES },
  cnpg: {
    huge_pages:
      "left out: older releases of the operator refuse a manifest with it, and PostgreSQL's default is try",
  },
};

/** A number or a plain word needs no quotes in postgresql.conf. */
const confValue = (text: string) => (/^[\w.]+$/.test(text) ? text : quoteLiteral(text));

const DIALECTS: Record<SettingDialect, (settings: readonly DialectSetting[]) => string[]> = {
  conf: (settings) =>
    settings.map(
      ({ name, text, restart }) => `${name} = ${confValue(text)}${restart ? '  # wants a restart' : ''}`,
    ),
  sql: (settings) => [
    ...settings.map(({ name, text }) => `ALTER SYSTEM SET ${quoteParameter(name)} = ${quoteLiteral(text)};`),
    'SELECT pg_reload_conf();',
    ...(settings.some(({ restart }) => restart)
      ? [`-- after a restart: ${settings.flatMap(({ name, restart }) => (restart ? [name] : [])).join(', ')}`]
      : []),
  ],
  rds: (settings) =>
    parameterGroup(settings, 'modify-db-parameter-group --db-parameter-group-name "$PARAMETER_GROUP"'),
  aurora: (settings) => [
    '# A value in the DB parameter group of an instance goes before that of the cluster.',
    ...parameterGroup(
      settings,
      'modify-db-cluster-parameter-group --db-cluster-parameter-group-name "$PARAMETER_GROUP"',
    ),
  ],
  cloudsql: (settings) => [
    ...unknownFlags(settings),
    ...wholeListOfFlags(settings, {
      read: 'gcloud sql instances describe "$INSTANCE" --format=json',
      // A list of {name, value}.
      flags: '(.settings.databaseFlags // [])[] | {key: .name, value: .value}',
      write: 'gcloud sql instances patch "$INSTANCE"',
    }),
  ],
  // docs.cloud.google.com/alloydb/docs/reference/database-flags, its introduction; the table was not to be had.
  alloydb: (settings) => [
    '# Flags that AlloyDB does not have fail the call: docs.cloud.google.com/alloydb/docs/reference/database-flags has them. What it',
    '# marks with read pool restrictions is set on each read pool instance first, to the same value or more.',
    ...wholeListOfFlags(settings, {
      read: 'gcloud alloydb instances describe "$INSTANCE" --cluster="$CLUSTER" --region="$REGION" --format=json',
      // A map from name to value.
      flags: '(.databaseFlags // {}) | to_entries[]',
      write: 'gcloud alloydb instances update "$INSTANCE" --cluster="$CLUSTER" --region="$REGION"',
    }),
  ],
  azure: (settings) =>
    settings.map(
      ({ name, bare }) =>
        `az postgres flexible-server parameter set --resource-group "$GROUP" --server-name "$SERVER" --name ${name} --value ${shellWord(bare)}`,
    ),
  supabase: (settings) => [
    '# A parameter that needs a restart restarts the database, unless --no-restart is given; one that is no key fails the call.',
    `supabase --experimental postgres-config update --project-ref "$PROJECT" ${settings.map(({ name, text }) => `--config ${shellWord(`${name}=${text}`)}`).join(' ')}`,
  ],
  // No superuser, no files: what a session may set is set for the database, nothing else can be.
  neon: (settings) => {
    const [own, others] = [true, false].map((is) =>
      settings.filter(({ name }) => SET_BY_OWNER.has(name) === is),
    );
    return [
      ...(own?.length ? ['-- in place of "your_database" its name'] : []),
      ...(own ?? []).map(
        ({ name, text }) =>
          `ALTER DATABASE "your_database" SET ${quoteParameter(name)} = ${quoteLiteral(text)};`,
      ),
      ...(others?.length
        ? [`-- not to be set there, for no session may: ${others.map(({ name }) => name).join(', ')}`]
        : []),
    ];
  },
  patroni: (settings) => [
    '# patronictl edit-config; then patronictl restart for those that want one',
    // docs/patroni_configuration.rst of patroni/patroni at 0a7a3e8.
    '# What postgresql.parameters of a local patroni.yml has goes before this: change it there, on every node, and patronictl reload.',
    ...patroniOnly(settings),
    'postgresql:',
    '  parameters:',
    ...settings.map(({ name, text }) => `    ${name}: ${yamlText(text)}`),
  ],
  cnpg: (settings) => [
    'spec:',
    '  postgresql:',
    '    parameters:',
    ...settings.map(({ name, text }) => `      ${name}: ${yamlText(text)}`),
  ],
};

/** docs/patroni_configuration.rst, "PostgreSQL parameters controlled by Patroni", of what the rules propose. */
const OF_ALL_NODES = new Set(['max_connections', 'max_locks_per_transaction', 'max_worker_processes']);

/** What Patroni takes from here alone, with the order of restarts that PostgreSQL's standbys want. */
function patroniOnly(settings: readonly DialectSetting[]): string[] {
  const names = settings.flatMap(({ name }) => (OF_ALL_NODES.has(name) ? [name] : []));
  if (names.length === 0) return [];
  return [
    `# Only here, for all nodes: ${names.join(', ')}. Where one gets larger the standbys restart first, where it gets smaller the leader.`,
  ];
}

/** Always in quotes: `on` and `off` would be booleans, 1.1 a number, and both manifests want text. */
const yamlText = (text: string) => JSON.stringify(text);
