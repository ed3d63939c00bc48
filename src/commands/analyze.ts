/** `pgluthier analyze`: one analysis without a store, of a database or of a snapshot file. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { loadRules } from '../advise/index.ts';
import { environmentVariable, loadConfig } from '../config.ts';
import {
  composeSnapshot,
  type Limit,
  PgLuthierError,
  type Report,
  type RuleArea,
  type Snapshot,
  type WatchedReplica,
} from '../domain/index.ts';
import { analyse, openForPlans, resolveDsn, type WhatIfEngine } from '../pipeline/index.ts';
import { createProgress } from '../progress.ts';
import { settingDialects } from '../report/index.ts';
import { readSnapshotFile, type SnapshotFile } from '../snapshot-file/index.ts';
import { targetAddress } from '../target/index.ts';
import {
  diffSnapshots,
  workloadFromFiles,
  workloadFromSnapshot,
  workloadFromWindow,
} from '../workload/index.ts';
import { collectOnce, type HostOptions, hostOverrides } from './collect.ts';

/** `sql` is the whole report as SQL; the other dialects of settings are its settings alone. */
export const reportFormats = ['text', 'markdown', ...settingDialects] as const;
type ReportFormat = (typeof reportFormats)[number];

export interface AnalyzeOptions extends HostOptions {
  snapshot?: string;
  workload?: string;
  window?: number;
  /** DSNs of physical standbys. */
  replica?: string[];
  budget?: number;
  /** Share. */
  maxRegression?: number;
  maxIndexesPerTable?: number;
  /** Seconds. */
  timeLimit?: number;
  /** Bytes of indexes that may be read to measure their bloat. */
  measureBloat?: number;
  whatIf: WhatIfEngine;
  only?: RuleArea[];
  json?: boolean;
  format: ReportFormat;
  output?: string;
}

function usage(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'usage_invalid', status: 400, message, remedy });
}

interface Source {
  name: string;
  snapshot: Snapshot;
  first: Snapshot | null;
  limits: Limit[];
}

/** One analysis: of what is there now, or of what a file says was there. */
export async function analyzeOnce(given: string | undefined, options: AnalyzeOptions): Promise<Report> {
  if ((given === undefined) === (options.snapshot === undefined)) {
    throw usage(
      given === undefined
        ? 'There is neither a database nor a snapshot file to analyze.'
        : 'Both a database and a snapshot file are given.',
      'Give a DSN, or --snapshot with a file of pgluthier export.',
    );
  }
  if (options.snapshot !== undefined && options.whatIf !== 'twin') {
    throw usage(
      'HypoPG asks the target itself, and a snapshot file is none.',
      'Leave --what-if away: the twin needs only the file.',
    );
  }
  if (options.snapshot !== undefined && (options.measureBloat !== undefined || options.replica)) {
    throw usage(
      'With a snapshot file no server is asked.',
      'Leave --measure-bloat and --replica away, or give a DSN in place of the file.',
    );
  }
  if (options.snapshot !== undefined && options.window !== undefined) {
    throw usage('A file cannot be watched.', 'Give --window to pgluthier export: the file then holds it.');
  }
  const progress = createProgress();
  const show = (message: string) => progress.show(message);
  try {
    // Files are read first: a mistake in them must not cost a snapshot.
    const files = options.workload ? await readWorkload(options.workload) : null;
    const fromFiles = files ? await workloadFromFiles(files) : null;
    const source =
      options.snapshot === undefined
        ? await fromTarget(given ?? '', options, show)
        : fromFile(await readSnapshotFile(options.snapshot), options, new Date());
    const { snapshot, first } = source;
    const replicas = await readReplicas(snapshot, options.replica ?? [], show);
    const window = first && diffSnapshots(first, snapshot);
    const workload =
      fromFiles ??
      (window ? await workloadFromWindow(window, snapshot) : await workloadFromSnapshot(snapshot));
    return await analyse({
      target: { id: null, name: source.name },
      snapshot: { ...snapshot, limits: [...source.limits, ...snapshot.limits] },
      window,
      workload,
      replicas,
      rules: await loadRules(),
      ...(options.only ? { areas: options.only } : {}),
      index_budget_bytes: options.budget ?? null,
      ...(await measureOptions(given, options)),
      what_if: {
        engine: options.whatIf,
        openSession:
          given === undefined ? null : async () => openForPlans(await resolveDsn(given, environmentVariable)),
        twin: loadConfig().twin,
      },
      max_regression: options.maxRegression,
      max_indexes_per_table: options.maxIndexesPerTable,
      time_limit_ms: options.timeLimit === undefined ? 10 * 60_000 : options.timeLimit * 1000,
      now: () => new Date(),
      progress: show,
    });
  } finally {
    progress.clear();
  }
}

/** What is asked for, or what the environment says. */
async function measureOptions(given: string | undefined, { measureBloat }: AnalyzeOptions) {
  const limit_bytes = measureBloat ?? loadConfig().measure_bloat_bytes;
  if (given === undefined || limit_bytes === 0) return {};
  return { measure_bloat: { dsn: await resolveDsn(given, environmentVariable), limit_bytes } };
}

async function fromTarget(
  given: string,
  options: AnalyzeOptions,
  show: (message: string) => void,
): Promise<Source> {
  const dsn = await resolveDsn(given, environmentVariable);
  const seen = await collectOnce(dsn, options.window, hostOverrides(options), show);
  return { name: targetAddress(dsn), ...seen, limits: [] };
}

/**
 * Counters of the standbys that were named.
 * @throws PgLuthierError `replica_invalid` for a server that is no standby of this one, or another database.
 */
async function readReplicas(
  primary: Snapshot,
  given: readonly string[],
  show: (message: string) => void,
): Promise<WatchedReplica[]> {
  const replicas: WatchedReplica[] = [];
  for (const each of given) {
    const dsn = await resolveDsn(each, environmentVariable);
    const name = targetAddress(dsn);
    const { snapshot } = await collectOnce(dsn, undefined, {}, show);
    const { in_recovery, system_identifier: identifier, database } = snapshot.server;
    const known = primary.server.system_identifier;
    const other = identifier !== null && known !== null && identifier !== known;
    if (!in_recovery || other || database !== primary.server.database) {
      const why = in_recovery ? 'is of another server or database' : 'is no standby';
      throw new PgLuthierError({
        code: 'replica_invalid',
        status: 400,
        message: `${name} ${why}: its counters say nothing of this database's indexes.`,
        remedy: 'Give --replica the same database on a physical standby of the server.',
      });
    }
    replicas.push({ name, snapshot });
  }
  return replicas;
}

const DAY_MS = 86_400_000;

/** What the file says, with what the operator says of the host in place of its facts. */
function fromFile(file: SnapshotFile, options: HostOptions, now: Date): Source {
  const limits: Limit[] = [];
  const age = now.getTime() - Date.parse(file.snapshot.taken_at);
  if (age > DAY_MS) {
    limits.push({
      scope: 'snapshot-file',
      code: 'snapshot_file_old',
      message: `The snapshot was taken ${Math.floor(age / DAY_MS)} days ago (${file.snapshot.taken_at}).`,
      remedy: 'Export it again before changes are made by it.',
    });
  }
  if (file.header.stripped) {
    limits.push({
      scope: 'snapshot-file',
      code: 'snapshot_file_stripped',
      message:
        'Values of columns and constants were stripped from the file: ranks stand in their place, so costs are near those of the database, not equal.',
      remedy: null,
    });
  }
  const given = <T>(fact: { value: T | null; source: string }, value: T | undefined) =>
    value === undefined ? fact : { value, source: 'operator' };
  const { host } = file.snapshot;
  const snapshot: Snapshot = {
    ...file.snapshot,
    host: {
      ram_bytes: given(host.ram_bytes, options.ram),
      cpu_count: given(host.cpu_count, options.cpu),
      disk_type: given(host.disk_type, options.disk ?? undefined),
    },
  };
  const first = file.first && composeSnapshot(snapshot, file.first);
  return { name: file.header.target, snapshot, first, limits };
}

/** A .sql file, or all .sql files of a folder in the order of their names. */
async function readWorkload(path: string): Promise<{ name: string; text: string }[]> {
  const info = await stat(path).catch(() => null);
  if (!info) {
    throw new PgLuthierError({
      code: 'workload_not_found',
      status: 400,
      message: `There is no file or folder ${path}.`,
      remedy: 'Give --workload a .sql file or a folder with .sql files.',
    });
  }
  const names = info.isDirectory()
    ? (await readdir(path))
        .filter((name) => name.endsWith('.sql'))
        .sort()
        .map((name) => join(path, name))
    : [path];
  if (names.length === 0) {
    throw new PgLuthierError({
      code: 'workload_empty',
      status: 400,
      message: `There is no .sql file in ${path}.`,
      remedy: 'Give --workload a .sql file or a folder with .sql files.',
    });
  }
  return Promise.all(names.map(async (name) => ({ name: basename(name), text: await readText(name) })));
}

/** @throws PgLuthierError `workload_file_unreadable`. */
async function readText(path: string): Promise<string> {
  const unreadable = (message: string, remedy: string) =>
    new PgLuthierError({ code: 'workload_file_unreadable', status: 422, message, remedy });
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw unreadable(`${path} cannot be read (${code}).`, 'Give a file that this account may read.');
  }
  // UTF-16 of plain letters is UTF-8, too, with a zero in every second byte.
  if (content.includes(0))
    throw unreadable(`${path} holds zero bytes: it is not UTF-8.`, 'Save it as UTF-8.');
  try {
    // A mark of the order of bytes, as editors on Windows put it in front, is left out.
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw unreadable(`${path} is not UTF-8.`, 'Save it as UTF-8.');
  }
}
