/** Collecting with an eye on each statement: something is done before it is sent, or while it runs. */
import { type CollectOptions, collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { openTarget, type SessionOptions, type TargetSession } from '../../src/target/index.ts';

type Send = () => Promise<object[]>;
/** `send` sends the statement; without a call of it the statement never runs. */
type Around = (sql: string, send: Send, session: TargetSession) => Promise<object[]>;

export const watchedOptions: SessionOptions = { applicationName: 'pgluthier:test', readOnly: true };

/** An end of a column that has no answer within 100 ms is given up, which a busy machine would bring about. */
function withPatience(sql: string, parameters: unknown[] | undefined): unknown[] | undefined {
  if (!sql.includes("set_config('statement_timeout'")) return parameters;
  return parameters?.map((value) => (value === '100' ? '20000' : value));
}

/**
 * A full snapshot, each statement of which goes through `around`.
 * @param bounds of the session; `patient: false`: ends of columns are waited for no longer than the product waits.
 */
export async function collectWatched(
  dsn: string,
  around?: Around,
  { patient, ...bounds }: Partial<SessionOptions> & { patient?: boolean } = {},
): Promise<Snapshot> {
  const session = await openTarget(dsn, { ...watchedOptions, ...bounds });
  try {
    return await collectOn(session, around, { patient });
  } finally {
    await session.close();
  }
}

/** The same in a session that somebody has opened. */
export function collectOn(
  session: TargetSession,
  around: Around = (_, send) => send(),
  { patient = true, ...options }: CollectOptions & { patient?: boolean | undefined } = {},
): Promise<Snapshot> {
  const watched: TargetSession = {
    ...session,
    query: <T extends object>(sql: string, parameters?: unknown[]) => {
      const given = patient ? withPatience(sql, parameters) : parameters;
      return around(sql, () => session.query(sql, given), session) as Promise<T[]>;
    },
  };
  return collectSnapshot(watched, options);
}

/** Does `action` once, before the first statement with this text in it. */
export function justBefore(reading: string, action: (session: TargetSession) => Promise<unknown>): Around {
  let done = false;
  return async (sql, send, session) => {
    if (!done && sql.includes(reading)) {
      done = true;
      await action(session);
    }
    return send();
  };
}
