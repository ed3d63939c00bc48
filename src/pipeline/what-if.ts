/** The planners that an analysis asks: the twin, the target's own by HypoPG, or the one checked by the other. */
import { existingGinShapes } from '../advise/index.ts';
import { type Limit, PgLuthierError, type Snapshot, type WhatIf } from '../domain/index.ts';
import { openTarget, type TargetSession } from '../target/index.ts';
import { openHypopg, openTwin } from '../whatif/index.ts';

/** `both`: the twin searches, and what it chose is asked of HypoPG, too. */
export const whatIfEngines = ['twin', 'hypopg', 'both'] as const;
export type WhatIfEngine = (typeof whatIfEngines)[number];

export interface TwinOptions {
  /** Folders of PostgreSQL's programs that twins may run on, before others. */
  postgres_directories: readonly string[];
  /** A major that is not here may be fetched. */
  fetch_postgres: boolean;
}

export interface WhatIfOptions {
  engine: WhatIfEngine;
  /** A session on the target for HypoPG; null: there is no target, only a file of it. */
  openSession: (() => Promise<TargetSession>) | null;
  twin: TwinOptions;
}

export interface Planners {
  what_if: WhatIf | null;
  /** Opens the second engine; it is closed by who opens it. Null: there is none to check with. */
  cross_check: (() => Promise<WhatIf>) | null;
  limits: Limit[];
}

/** A session that plans: it waits for no lock, and what takes long to plan is given up. */
export function openForPlans(dsn: string): Promise<TargetSession> {
  return openTarget(dsn, {
    applicationName: 'pgluthier:what-if',
    readOnly: true,
    statementTimeoutMs: 15_000,
  });
}

/**
 * Opens what is asked for. What cannot be had of a twin is a limit: rules that need no planner go on without.
 * @throws PgLuthierError `what_if_needs_target`; `hypopg_missing` and those of the target's connection where HypoPG
 * alone is asked for.
 */
export async function openPlanners(
  snapshot: Snapshot,
  statements: readonly string[],
  options: WhatIfOptions,
  progress: (message: string) => void,
): Promise<Planners> {
  const { engine, openSession } = options;
  if (engine !== 'twin' && openSession === null) {
    throw new PgLuthierError({
      code: 'what_if_needs_target',
      status: 400,
      message: 'HypoPG asks the target itself, and a snapshot file is none.',
      remedy: 'Leave --what-if away: the twin needs only the file.',
    });
  }
  const byHypopg = async () => {
    if (openSession === null) throw new Error('there is no session to open');
    const session = await openSession();
    try {
      return await openHypopg(session, snapshot);
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  if (engine === 'hypopg') return { what_if: await byHypopg(), cross_check: null, limits: [] };
  const limits: Limit[] = [];
  let what_if: WhatIf | null = null;
  try {
    progress('building the twin');
    what_if = await openTwin(snapshot, {
      statements,
      progress,
      ginShapes: existingGinShapes(snapshot),
      postgresDirectories: options.twin.postgres_directories,
      fetchPostgres: options.twin.fetch_postgres,
    });
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    limits.push({ scope: 'twin', code: error.code, message: error.message, remedy: error.remedy ?? null });
  }
  return { what_if, cross_check: engine === 'both' ? byHypopg : null, limits };
}
