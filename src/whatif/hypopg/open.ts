/**
 * HypoPG: the target's own planner, with indexes that only this session's planner sees. It needs the extension in the
 * target's database and a connection for as long as the questions last; the twin needs neither. It makes B-trees,
 * hash, BRIN and bloom indexes; GIN, GiST and SP-GiST it refuses. Seen on 1.3.1 (Debian 12) and in its source.
 */
import {
  type Limit,
  PgLuthierError,
  quoteQualified,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import type { TargetSession } from '../../target/index.ts';
import { Hypopg, type HypopgFunctions } from './engine.ts';

/**
 * Takes over the session: hypothetical indexes are the backend's own, survive ROLLBACK, and go with `close()`.
 * @param snapshot of the same database: whose settings statements are planned under.
 * @throws PgLuthierError `hypopg_missing`.
 */
export async function openHypopg(session: TargetSession, snapshot: Snapshot): Promise<WhatIf> {
  const [extension] = await session.query<{ schema: string; version: string; hides: boolean }>(
    `SELECT n.nspname AS schema, e.extversion AS version,
       EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'hypopg_hide_index') AS hides
     FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'`,
  );
  if (!extension) {
    throw new PgLuthierError({
      code: 'hypopg_missing',
      status: 424,
      message: `The extension hypopg is not installed in ${session.address}.`,
      remedy:
        'CREATE EXTENSION hypopg, by its owner; or leave --what-if away: the twin needs nothing on the target.',
    });
  }
  const name = (name: string) => quoteQualified(extension.schema, name);
  const functions: HypopgFunctions = {
    create: name('hypopg_create_index'),
    drop: name('hypopg_drop_index'),
    reset: name('hypopg_reset'),
    hide: extension.hides ? name('hypopg_hide_index') : null,
    unhide: extension.hides ? name('hypopg_unhide_index') : null,
  };
  const [server] = await session.query<{ version: string }>(
    "SELECT pg_catalog.current_setting('server_version') AS version",
  );
  const limits: Limit[] = [
    {
      scope: 'hypopg',
      code: 'hypopg_sizes',
      message: `HypoPG ${extension.version} estimates sizes of indexes itself, without deduplication: plans with indexes on columns of few values may look dearer than they will be.`,
      remedy: null,
    },
  ];
  const engine = new Hypopg({ session, snapshot, functions, limits, version: server?.version ?? '' });
  await engine.begin();
  return engine;
}
