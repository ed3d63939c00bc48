/** Collecting with an eye on each statement: something is done before it is sent, or while it runs. */
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot } from '../../src/domain/index.ts';
import { openTarget, type SessionOptions, type TargetSession } from '../../src/target/index.ts';

type Send = () => Promise<object[]>;
/** `send` sends the statement; without a call of it the statement never runs. */
type Around = (sql: string, send: Send, session: TargetSession) => Promise<object[]>;

export const watchedOptions: SessionOptions = { applicationName: 'pgluthier:test', readOnly: true };

/** A full snapshot, each statement of which goes through `around`. */
export async function collectWatched(
  dsn: string,
  around: Around = (_, send) => send(),
  bounds: Partial<SessionOptions> = {},
): Promise<Snapshot> {
  const session = await openTarget(dsn, { ...watchedOptions, ...bounds });
  try {
    return await collectOn(session, around);
  } finally {
    await session.close();
  }
}

/** The same in a session that somebody has opened. */
export function collectOn(session: TargetSession, around: Around): Promise<Snapshot> {
  return collectSnapshot({
    ...session,
    query: <T extends object>(sql: string, parameters?: unknown[]) =>
      around(sql, () => session.query(sql, parameters), session) as Promise<T[]>,
  });
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
