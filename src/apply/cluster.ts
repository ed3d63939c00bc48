/** Which cluster answers: what was recorded of one says nothing of another, though it has the same names. */
import type { TargetSession } from '../target/index.ts';

/**
 * `system_identifier` of pg_control_system(), which initdb makes: the same after a failover, another after pg_upgrade or
 * where the address leads elsewhere. '0': this role may not see it.
 */
export async function clusterOf(session: TargetSession): Promise<string> {
  const [right] = await session.query<{ may: boolean }>(
    "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may",
  );
  if (!right?.may) return '0';
  const [row] = await session.query<{ system: string }>(
    'SELECT system_identifier::text AS system FROM pg_control_system()',
  );
  if (!row) throw new Error('pg_control_system() gave no row');
  return row.system;
}
