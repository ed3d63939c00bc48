/** `pgluthier tune`: settings for a host, with no database. */
import { bareValue, hostSettings, settingNatures } from '../advise/index.ts';
import type { DiskType } from '../domain/index.ts';
import { PgLuthierError } from '../domain/index.ts';
import {
  type DialectSetting,
  renderSettings,
  type SettingDialect,
  settingDialects,
} from '../report/index.ts';

export const tuneFormats = ['text', 'json', ...settingDialects] as const;
export const tuneWorkloads = ['web', 'oltp', 'dw', 'desktop', 'mixed'] as const;

export interface TuneOptions {
  /** Bytes. */
  ram: number;
  cpu?: number;
  disk?: DiskType;
  /** PostgreSQL's major version. */
  pg: number;
  workload: (typeof tuneWorkloads)[number];
  connections?: number;
  format: (typeof tuneFormats)[number];
}

/** Versions that the formulas were checked for. */
const OLDEST = 10;
const NEWEST = 19;
/** Services and operators that write log lines in a format of their own, which others read. */
const OWN_LOG_FORMAT: ReadonlySet<TuneOptions['format']> = new Set([
  'rds',
  'aurora',
  'cloudsql',
  'alloydb',
  'azure',
  'supabase',
  'neon',
  'cnpg',
]);
/** Below it nothing is left for the operating system. */
const LEAST_RAM = 256 * 1024 ** 2;

/**
 * The baseline as text, JSON, or in a dialect.
 * @throws PgLuthierError `usage_invalid`.
 */
export function tune(options: TuneOptions): string {
  const { ram, cpu, disk, pg, workload, connections } = options;
  if (pg < OLDEST || pg > NEWEST) {
    throw usage(
      `--pg ${pg} is no version that is known here.`,
      `Give a major version from ${OLDEST} to ${NEWEST}.`,
    );
  }
  if (ram < LEAST_RAM) throw usage('Less than 256MB of memory cannot be tuned.', 'Give --ram as in 16GB.');
  const set = hostSettings({
    ram_bytes: ram,
    cpu_count: cpu ?? null,
    disk_type: disk ?? null,
    major: pg,
    workload_type: workload,
    ...(connections === undefined ? {} : { connections }),
  });
  const natures = settingNatures(pg);
  const settings = Object.entries(set.values).flatMap(([name, { text, formula }]) => {
    const nature = natures[name];
    if (!nature) throw new Error(`${name} has no nature`);
    if (name === 'log_line_prefix' && OWN_LOG_FORMAT.has(options.format)) return [];
    return [{ name, text, bare: bareValue(text, nature.unit), restart: nature.restart, formula }];
  });
  const unknown = [
    ...(cpu === undefined ? ['--cpu: parallelism is left as it is'] : []),
    ...(disk === undefined
      ? ['--disk: random_page_cost and effective_io_concurrency are left as they are']
      : []),
  ];
  if (options.format === 'json') {
    const { worst_case_bytes, budget_bytes } = set;
    const input = {
      ram_bytes: ram,
      cpu: cpu ?? null,
      disk: disk ?? null,
      pg,
      workload,
      connections: connections ?? null,
    };
    return `${JSON.stringify({ input, settings, worst_case_bytes, budget_bytes, not_given: unknown }, null, 2)}\n`;
  }
  if (options.format !== 'text')
    return renderSettings(settings satisfies DialectSetting[], options.format as SettingDialect);
  const width = Math.max(...settings.map(({ name }) => name.length));
  const size = Math.max(...settings.map(({ text }) => text.length));
  return [
    ...settings.map(
      ({ name, text, formula, restart }) =>
        `${name.padEnd(width)}  ${text.padEnd(size)}  ${formula}${restart ? ' (wants a restart)' : ''}`,
    ),
    '',
    `At worst all of it takes ${megabytes(set.worst_case_bytes)} of ${megabytes(ram)}; ${megabytes(set.budget_bytes)} is what it was fitted into.`,
    ...unknown.map((line) => `Not given: ${line}.`),
    'What a database shows counts more than its hardware: pgluthier analyze <dsn> --only settings.',
    '',
  ].join('\n');
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2).toLocaleString('en')} MB`;

function usage(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'usage_invalid', status: 400, message, remedy });
}
