/** Adding a target and asking what it lets us see. */
import { type Capabilities, type HostOverrides, PgLuthierError, type Target } from '../domain/index.ts';
import { detectCapabilities, targetAddress } from '../target/index.ts';
import type { Services } from './services.ts';
import { resolveDsn, targetDsn, withReadSession } from './target-session.ts';

export interface NewTarget {
  name: string;
  /** The DSN, or a reference to it: `env:NAME`, `file:/path`. */
  dsn: string;
  host_overrides: HostOverrides;
}

/**
 * Connects first, so that a wrong DSN is refused while its author is still there, then keeps the target.
 * @throws PgLuthierError of target/ when it cannot be reached; `target_exists` for a name that is taken.
 */
export async function addTarget(
  services: Services,
  given: NewTarget,
  actor: string,
): Promise<{ target: Target; capabilities: Capabilities }> {
  const dsn = await resolveDsn(given.dsn, services.environmentVariable);
  const capabilities = await withReadSession(dsn, 'check', detectCapabilities);
  if (capabilities.major < 14) {
    throw new PgLuthierError({
      code: 'target_too_old',
      status: 422,
      message: `PostgreSQL ${capabilities.major} is older than 14, the oldest that PgLuthier knows.`,
      remedy: 'Upgrade the server; versions before 14 are out of support.',
    });
  }
  const target = await services.store.targets.add(
    { name: given.name, dsn: given.dsn, address: targetAddress(dsn), host_overrides: given.host_overrides },
    actor,
  );
  return { target, capabilities };
}

/** What the target's role may see and do right now. */
export async function targetCapabilities(services: Services, targetId: string): Promise<Capabilities> {
  return withReadSession(await targetDsn(services, targetId), 'check', detectCapabilities);
}
