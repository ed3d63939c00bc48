/** `pgluthier scorecard`: values, grades and checklist of one database or a snapshot file, without a store. */
import { readFile, writeFile } from 'node:fs/promises';
import type { z } from 'zod';
import { compareScorecards, loadRules, scoreTarget } from '../advise/index.ts';
import { environmentVariable } from '../config.ts';
import {
  composeSnapshot,
  PgLuthierError,
  type Scorecard,
  type ScorecardBaseline,
  type ScorecardComparison,
  type ScorecardGrade,
  type ScorecardThresholds,
  type Snapshot,
  scorecardBaselineSchema,
  scorecardThresholdsSchema,
} from '../domain/index.ts';
import { resolveDsn } from '../pipeline/index.ts';
import { createProgress } from '../progress.ts';
import { readSnapshotFile } from '../snapshot-file/index.ts';
import { targetAddress } from '../target/index.ts';
import { diffSnapshots, workloadFromSnapshot, workloadFromWindow } from '../workload/index.ts';
import { collectOnce, type HostOptions, hostOverrides } from './collect.ts';

/** Grades that can make the command fail. */
export const failingGrades = ['acceptable', 'warning', 'critical'] as const;

export interface ScorecardOptions extends HostOptions {
  snapshot?: string;
  window?: number;
  /** A JSON file with thresholds by metric. */
  thresholds?: string;
  /** A file of --save-baseline. */
  baseline?: string;
  saveBaseline?: string;
  force?: boolean;
  failOn?: (typeof failingGrades)[number];
  json?: boolean;
  format: 'text' | 'markdown';
  output?: string;
}

export interface ScorecardResult {
  scorecard: Scorecard;
  comparison: ScorecardComparison | null;
}

interface Seen {
  name: string;
  snapshot: Snapshot;
  first: Snapshot | null;
  /** Whether the earlier one read the host by itself. */
  hostReadTwice: boolean;
}

/**
 * One scorecard.
 * @throws PgLuthierError `usage_invalid`, `scorecard_file_invalid`, and what collecting throws.
 */
export async function scorecardOnce(
  given: string | undefined,
  options: ScorecardOptions,
): Promise<ScorecardResult> {
  if ((given === undefined) === (options.snapshot === undefined)) {
    throw usage(
      given === undefined
        ? 'There is neither a database nor a snapshot file.'
        : 'Both a database and a snapshot file are given.',
      'Give a DSN, or --snapshot with a file of pgluthier export.',
    );
  }
  if (options.snapshot !== undefined && options.window !== undefined) {
    throw usage('A file cannot be watched.', 'Give --window to pgluthier export: the file then holds it.');
  }
  // Files are read first: a mistake in them must not cost a snapshot.
  const thresholds: ScorecardThresholds =
    options.thresholds === undefined ? {} : await readJson(options.thresholds, scorecardThresholdsSchema);
  const baseline: ScorecardBaseline | null =
    options.baseline === undefined ? null : await readJson(options.baseline, scorecardBaselineSchema);
  const progress = createProgress();
  try {
    const seen =
      given === undefined
        ? await fromFile(options)
        : await fromTarget(given, options, (message) => progress.show(message));
    const { snapshot, first } = seen;
    const window = first && diffSnapshots(first, snapshot);
    const scorecard = await scoreTarget({
      target: { id: null, name: seen.name },
      snapshot,
      window,
      workload: window ? await workloadFromWindow(window, snapshot) : await workloadFromSnapshot(snapshot),
      usage_before: (seen.hostReadTwice && first?.host.usage?.value) || null,
      thresholds,
      rules: await loadRules(),
      advice: null,
      baselines: baseline ? [baseline.name] : null,
      now: new Date(),
    });
    if (options.saveBaseline !== undefined) await saveBaseline(options.saveBaseline, scorecard, options);
    return { scorecard, comparison: baseline && compareScorecards(scorecard, baseline) };
  } finally {
    progress.clear();
  }
}

/** Whether a scorecard is as bad as --fail-on says, or worse. */
export function fails({ overall }: Scorecard, failOn: ScorecardOptions['failOn']): boolean {
  const order: readonly ScorecardGrade[] = ['target', ...failingGrades];
  return failOn !== undefined && order.indexOf(overall) >= order.indexOf(failOn);
}

async function fromTarget(
  given: string,
  options: ScorecardOptions,
  show: (message: string) => void,
): Promise<Seen> {
  const dsn = await resolveDsn(given, environmentVariable);
  const seen = await collectOnce(dsn, options.window, hostOverrides(options), show);
  return { name: targetAddress(dsn), ...seen, hostReadTwice: true };
}

/** The earlier part of a file has counters only: its host is the later one's. */
async function fromFile({ snapshot: path = '' }: ScorecardOptions): Promise<Seen> {
  const { header, snapshot, first } = await readSnapshotFile(path);
  return {
    name: header.target,
    snapshot,
    first: first && composeSnapshot(snapshot, first),
    hostReadTwice: false,
  };
}

async function saveBaseline(path: string, scorecard: Scorecard, { force }: ScorecardOptions): Promise<void> {
  const baseline: ScorecardBaseline = {
    name: path,
    saved_at: scorecard.generated_at,
    actor: 'command line',
    scorecard,
  };
  try {
    await writeFile(path, `${JSON.stringify(baseline, null, 2)}\n`, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(
      code === 'EEXIST' ? `There is a file ${path} already.` : `${path} cannot be written (${code}).`,
      code === 'EEXIST'
        ? 'Choose another name, or give --force.'
        : 'Choose a place that this account may write to.',
    );
  }
}

/** @throws PgLuthierError `scorecard_file_invalid`. */
async function readJson<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>> {
  const invalid = (message: string) =>
    new PgLuthierError({
      code: 'scorecard_file_invalid',
      status: 400,
      message,
      remedy: 'docs/scorecard.md shows how such a file looks.',
    });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw invalid(code ? `${path} cannot be read (${code}).` : `${path} is not JSON.`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues
    .slice(0, 5)
    .map(({ path: at, message }) => `${at.join('.') || 'it'}: ${message}`);
  throw invalid(`${path} does not fit: ${issues.join('; ')}.`);
}

function usage(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'usage_invalid', status: 400, message, remedy });
}
