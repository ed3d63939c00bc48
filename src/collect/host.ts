/** The host's facts, as a noun: what the server refuses here is its own trouble, too. */
import type { HostFacts, HostOverrides, Sourced } from '../domain/index.ts';
import { detectHostFacts, hostLimits, TargetQueryError } from '../target/index.ts';
import type { Reader } from './reader.ts';

/** Memory, CPUs and disk; without an answer the operator's word only. */
export async function readHost(reader: Reader, overrides: HostOverrides): Promise<HostFacts> {
  try {
    const facts = await detectHostFacts(reader.session, overrides);
    reader.limits.push(...hostLimits(facts));
    return facts;
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    reader.limits.push({
      scope: 'host',
      code: 'read_failed',
      message: `The host's facts could not be read: ${error.message}`,
      remedy: 'State memory, CPUs and disk type of the host for this target.',
    });
    const told = <T>(value: T | null | undefined): Sourced<T> =>
      value ? { value, source: 'operator' } : { value: null, source: 'could not be read' };
    return {
      ram_bytes: told(overrides.ram_bytes),
      cpu_count: told(overrides.cpu_count),
      disk_type: told(overrides.disk_type),
    };
  }
}
