/**
 * The whole loop through the service's HTTP API, as an operator would drive it: add the target, snapshot, workload,
 * snapshot, analysis, approval of the top recommendations, apply, workload again, verification.
 */
import type { Recommendation, Report, Verdict } from '../domain/index.ts';
import { callService, pollService, type ServiceAddress, ServiceError } from './service-client.ts';
import { runWorkload } from './workload.ts';

/** What became of one approved recommendation. */
export interface DemoApply {
  recommendation_id: string;
  title: string;
  kind: string;
  rule: string;
  statements: string[];
  rollback: string[];
  state: string;
  outcome: string | null;
  message: string | null;
  pending_restart: boolean;
  verdict: Verdict | null;
}

/** What a run of the loop gives: the report, what was applied, and what it gained. */
export interface DemoResult {
  target_id: string;
  report: Report;
  applied: DemoApply[];
  /** Every statement of the workload, measured by pg_stat_statements in the windows before and after. */
  measured: {
    query_id: string;
    query: string;
    calls_before: number;
    calls_after: number;
    mean_ms_before: number;
    mean_ms_after: number;
    total_ms_before: number;
    total_ms_after: number;
  }[];
}

interface SnapshotHeader {
  id: string;
}
interface AnalysisResource {
  id: string;
  state: 'running' | 'succeeded' | 'failed';
  error: { code: string; message: string } | null;
  report: Report | null;
}
interface ApplyResource {
  id: string;
  state: string;
  outcome: { outcome: string; message?: string; pending_restart?: boolean } | null;
  verdict: Verdict | null;
  progress: { phase: string; fraction: number | null } | null;
}
interface StatementsResource {
  items: {
    query_id: string;
    query: string;
    calls: number;
    mean_exec_time_ms: number;
    total_exec_time_ms: number;
  }[];
}

export interface DemoLoopOptions {
  service: ServiceAddress;
  dsn: string;
  rounds: number;
  connections: number;
  progress: (message: string) => void;
}

/**
 * What a careful operator would approve of this report: every new index, every index to drop, settings that a reload
 * brings into force, and the tables' autovacuum settings. Changes that want a restart are left to a person.
 */
function approvable(recommendation: Recommendation): boolean {
  return (
    ['index.create', 'index.drop', 'table.reloptions', 'setting', 'analyze'].includes(recommendation.kind) &&
    !recommendation.risk.restart
  );
}

/** Drives the loop once; throws with the API's own words when a step is refused. */
export async function runDemoLoop(options: DemoLoopOptions): Promise<DemoResult> {
  const { service, progress } = options;
  progress('adding the target to the service');
  const target = await callService<{ id: string }>(service, 'POST', '/v1/targets', {
    name: `demo-${Date.now().toString(36)}`,
    dsn: options.dsn,
  });
  const base = `/v1/targets/${target.id}`;
  const snapshot = () => callService<SnapshotHeader>(service, 'POST', `${base}/snapshots`);
  const workload = (label: string) =>
    runWorkload(options.dsn, {
      rounds: options.rounds,
      connections: options.connections,
      progress: (fraction) => progress(`${label}: ${Math.round(100 * fraction)} %`),
    });

  progress('first snapshot');
  const first = await snapshot();
  await workload("running the application's workload");
  progress('second snapshot');
  const second = await snapshot();

  const started = await callService<AnalysisResource>(service, 'POST', `${base}/analyses`, {
    from_snapshot_id: first.id,
    to_snapshot_id: second.id,
  });
  const startedAt = Date.now();
  const analysis = await pollService<AnalysisResource>(
    service,
    `${base}/analyses/${started.id}`,
    (resource) => resource.state !== 'running',
    () => progress(`analysing: ${Math.round((Date.now() - startedAt) / 1000)} s`),
  );
  if (!analysis.report)
    throw new Error(`the analysis failed: ${analysis.error?.message ?? 'no reason given'}`);

  const applied: (DemoApply & { apply_id: string | null })[] = [];
  for (const recommendation of analysis.report.recommendations.filter(approvable)) {
    applied.push(await approveAndApply(service, base, recommendation, progress));
  }

  progress('snapshot after the changes');
  const third = await snapshot();
  await workload('running the same workload again');
  progress('last snapshot');
  const fourth = await snapshot();

  for (const item of applied) {
    if (item.apply_id === null) continue;
    progress(`verifying: ${item.title}`);
    const { verdict } = await verified(service, `${base}/applies/${item.apply_id}`);
    item.verdict = verdict;
    item.state = (
      await callService<Recommendation>(service, 'GET', `${base}/recommendations/${item.recommendation_id}`)
    ).state;
  }

  const before = await callService<StatementsResource>(
    service,
    'GET',
    `${base}/statements?from_snapshot_id=${first.id}&to_snapshot_id=${second.id}`,
  );
  const after = await callService<StatementsResource>(
    service,
    'GET',
    `${base}/statements?from_snapshot_id=${third.id}&to_snapshot_id=${fourth.id}`,
  );
  const afterById = new Map(after.items.map((item) => [item.query_id, item]));
  return {
    target_id: target.id,
    report: analysis.report,
    applied: applied.map(({ apply_id: _, ...item }) => item),
    measured: before.items.flatMap((item) => {
      const later = afterById.get(item.query_id);
      if (!later) return [];
      return [
        {
          query_id: item.query_id,
          query: item.query,
          calls_before: item.calls,
          calls_after: later.calls,
          mean_ms_before: item.mean_exec_time_ms,
          mean_ms_after: later.mean_exec_time_ms,
          total_ms_before: item.total_exec_time_ms,
          total_ms_after: later.total_exec_time_ms,
        },
      ];
    }),
  };
}

/** Asks for a verdict now. Where the service's own schedule came first, or nothing was applied, the apply tells. */
async function verified(service: ServiceAddress, path: string): Promise<ApplyResource> {
  try {
    return await callService<ApplyResource>(service, 'POST', `${path}/verify`);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'invalid_state_transition') throw error;
    return callService<ApplyResource>(service, 'GET', path);
  }
}

/** Approves one recommendation by its plan's hash, applies it, and waits for the end. */
async function approveAndApply(
  service: ServiceAddress,
  base: string,
  recommendation: Recommendation,
  progress: (message: string) => void,
): Promise<DemoApply & { apply_id: string | null }> {
  progress(`applying: ${recommendation.title}`);
  const path = `${base}/recommendations/${recommendation.id}`;
  const item = {
    recommendation_id: recommendation.id,
    title: recommendation.title,
    kind: recommendation.kind,
    rule: recommendation.rule,
    statements: recommendation.statements,
    rollback: recommendation.rollback,
    state: 'open',
    outcome: null as string | null,
    message: null as string | null,
    pending_restart: false,
    verdict: null,
    apply_id: null as string | null,
  };
  try {
    await callService(service, 'POST', `${path}/approve`, { plan_hash: recommendation.plan_hash });
    const apply = await callService<ApplyResource>(service, 'POST', `${path}/apply`);
    item.apply_id = apply.id;
    const ended = await pollService<ApplyResource>(
      service,
      `${base}/applies/${apply.id}`,
      (resource) => resource.state !== 'queued' && resource.state !== 'running',
      (resource) =>
        progress(
          `applying: ${recommendation.title}${resource.progress ? ` (${resource.progress.phase})` : ''}`,
        ),
    );
    item.state = ended.state;
    item.outcome = ended.outcome?.outcome ?? null;
    item.message = ended.outcome?.message ?? null;
    item.pending_restart = ended.outcome?.pending_restart ?? false;
  } catch (error) {
    // A refusal (a blocker, a drift) is part of the story, not the end of it.
    item.message = error instanceof Error ? error.message : String(error);
  }
  return item;
}
