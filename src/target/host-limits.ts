/** What could not be told of the host, as limits that say which override to give. */
import type { HostFacts, Limit } from '../domain/index.ts';

const OVERRIDES = [
  ['ram_bytes', 'memory', '--ram 16GB', '"ram_bytes": 17179869184'],
  ['cpu_count', 'CPUs', '--cpu 4', '"cpu_count": 4'],
  ['disk_type', 'disk type', '--disk ssd', '"disk_type": "ssd"'],
] as const;

/**
 * One limit, where the host is out of sight. A disk alone that tells nothing of itself (a virtual one, an overlay) is no
 * limit: its `source` says why, and what is advised on disks says what it takes in its place.
 */
export function hostLimits(facts: HostFacts): Limit[] {
  const unknown = OVERRIDES.filter(([key]) => facts[key].value === null);
  if (!unknown.some(([key]) => key !== 'disk_type')) return [];
  const service = facts.managed_service?.value;
  const names = unknown.map(([, name]) => name).join(', ');
  const reasons = [...new Set(unknown.map(([key]) => facts[key].source))].join('; ');
  const flags = unknown.map(([, , flag]) => flag).join(' ');
  const json = unknown.map(([, , , member]) => member).join(', ');
  return [
    {
      scope: 'host',
      code: 'host_facts_unknown',
      message: `The host's ${names} cannot be told: ${reasons}.`,
      remedy:
        `State them: ${flags} on the command line, or "host": { ${json} } for the target` +
        (service ? ` (those of the instance's class at ${service}).` : '.'),
    },
  ];
}
