/** Settings in the words of whoever owns the server: a file, SQL, a cloud's parameters, an operator's manifest. */
import { alterScopeStatement, quoteLiteral, quoteParameter, type Report } from '../domain/index.ts';

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
  const refused = REFUSED[dialect] ?? {};
  const taken = server.filter(({ name }) => !Object.hasOwn(refused, name));
  const left = server.flatMap(({ name }) =>
    Object.hasOwn(refused, name) ? [`# ${name}: ${refused[name]}`] : [],
  );
  return `${[...(taken.length > 0 ? DIALECTS[dialect](taken) : []), ...left, ...said].join('\n')}\n`;
}

const RDS_HUGE_PAGES =
  'on by itself in all classes but micro, small and medium; reset it in the parameter group where it was changed';

/**
 * What an owner does not take or has better by itself. RDS: "Huge pages for RDS for PostgreSQL" of its user guide.
 * CloudNativePG: FixedConfigurationParameters in pkg/postgres/configuration.go at 000280e; its webhook refuses the whole
 * manifest for one of them, and PostgreSQL's default is try.
 */
const REFUSED: Partial<Record<SettingDialect, Readonly<Record<string, string>>>> = {
  rds: { huge_pages: RDS_HUGE_PAGES },
  aurora: { huge_pages: RDS_HUGE_PAGES },
  cnpg: { huge_pages: "left out, for releases of the operator refuse it; PostgreSQL's default is try" },
};

/** Of what the rules propose, what the owner of a database may set for it (context user; a test asks real servers). */
export const SET_BY_OWNER: ReadonlySet<string> = new Set([
  'default_statistics_target',
  'default_toast_compression',
  'effective_cache_size',
  'effective_io_concurrency',
  'hash_mem_multiplier',
  'idle_in_transaction_session_timeout',
  'jit',
  'jit_above_cost',
  'maintenance_io_concurrency',
  'maintenance_work_mem',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'random_page_cost',
  'work_mem',
]);

/** A word for the shell: values such as log_line_prefix hold spaces and per cents. */
const shellWord = (text: string) =>
  /^[\w.:=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

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
  aurora: (settings) =>
    parameterGroup(
      settings,
      'modify-db-cluster-parameter-group --db-cluster-parameter-group-name "$PARAMETER_GROUP"',
    ),
  cloudsql: (settings) =>
    wholeListOfFlags(settings, {
      read: 'gcloud sql instances describe "$INSTANCE" --format=json',
      // A list of {name, value}.
      flags: '(.settings.databaseFlags // [])[] | {key: .name, value: .value}',
      write: 'gcloud sql instances patch "$INSTANCE"',
    }),
  alloydb: (settings) =>
    wholeListOfFlags(settings, {
      read: 'gcloud alloydb instances describe "$INSTANCE" --cluster="$CLUSTER" --region="$REGION" --format=json',
      // A map from name to value.
      flags: '(.databaseFlags // {}) | to_entries[]',
      write: 'gcloud alloydb instances update "$INSTANCE" --cluster="$CLUSTER" --region="$REGION"',
    }),
  azure: (settings) =>
    settings.map(
      ({ name, bare }) =>
        `az postgres flexible-server parameter set --resource-group "$GROUP" --server-name "$SERVER" --name ${name} --value ${shellWord(bare)}`,
    ),
  supabase: (settings) => [
    '# A parameter that needs a restart restarts the database, unless --no-restart is given.',
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

/** Always in quotes: `on` and `off` would be booleans, 1.1 a number, and both manifests want text. */
const yamlText = (text: string) => JSON.stringify(text);

/** ApplyMethod of a static parameter must be pending-reboot, of a dynamic one it may be immediate; at most 20 a call. */
function parameterGroup(settings: readonly DialectSetting[], command: string): string[] {
  return chunks(settings, 20).flatMap((part) => [
    `aws rds ${command} --parameters \\`,
    ...part.map(({ name, bare, restart }, index) => {
      const given = `ParameterName=${name},ParameterValue=${bare},ApplyMethod=${restart ? 'pending-reboot' : 'immediate'}`;
      const quoted = /^[\w.=,-]+$/.test(given) ? `"${given}"` : shellWord(given);
      return `  ${quoted}${index < part.length - 1 ? ' \\' : ''}`;
    }),
  ]);
}

/**
 * gcloud replaces the whole list of flags, and what is not named is reset: the list of today is read and merged.
 * `^~^` is gcloud's way to separate by another sign than a comma, which values may hold.
 */
function wholeListOfFlags(
  settings: readonly DialectSetting[],
  { read, flags, write }: { read: string; flags: string; write: string },
): string[] {
  const wanted = JSON.stringify(Object.fromEntries(settings.map(({ name, bare }) => [name, bare])));
  return [
    '# The list is replaced as a whole: flags of today are read and kept. Look at "$FLAGS" before you send it.',
    `FLAGS=$(${read} | jq -r --argjson wanted ${shellWord(wanted)} \\`,
    `  '([${flags}] | from_entries) + $wanted | to_entries | map("\\(.key)=\\(.value)") | join("~")')`,
    `${write} --database-flags="^~^$FLAGS"`,
  ];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}
