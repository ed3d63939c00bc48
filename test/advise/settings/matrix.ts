/** Fifteen hosts from a small VM to a large warehouse: what a set of memory settings has to fit into. */
import type { BaselineInput } from '../../../src/advise/settings/baseline.ts';
import { GB, MB } from '../../support/snapshot-builder.ts';

type Host = [
  name: string,
  major: number,
  type: BaselineInput['workload_type'],
  ram: number,
  cpus: number | null,
  connections: number | null,
  disk: 'hdd' | 'ssd' | 'san' | 'nvme',
];

const HOSTS: Host[] = [
  ['web-4c-16g-ssd-pg17', 17, 'web', 16 * GB, 4, null, 'ssd'],
  ['web-2c-2g-ssd-pg16-small', 16, 'web', 2 * GB, 2, null, 'ssd'],
  ['web-1c-512m-ssd-pg15-tiny', 15, 'web', 512 * MB, 1, 50, 'ssd'],
  ['oltp-16c-64g-nvme-pg18', 18, 'oltp', 64 * GB, 16, 300, 'nvme'],
  ['oltp-32c-256g-nvme-pg17', 17, 'oltp', 256 * GB, 32, 500, 'nvme'],
  ['oltp-8c-32g-san-pg14', 14, 'oltp', 32 * GB, 8, 200, 'san'],
  ['dw-32c-128g-ssd-pg17', 17, 'dw', 128 * GB, 32, null, 'ssd'],
  ['dw-64c-512g-nvme-pg18-inram', 18, 'dw', 512 * GB, 64, 60, 'nvme'],
  ['dw-16c-64g-hdd-pg13', 13, 'dw', 64 * GB, 16, 40, 'hdd'],
  ['mixed-8c-32g-ssd-pg16', 16, 'mixed', 32 * GB, 8, 100, 'ssd'],
  ['mixed-8c-32g-hdd-pg12', 12, 'mixed', 32 * GB, 8, 100, 'hdd'],
  ['desktop-8c-16g-ssd-pg17', 17, 'desktop', 16 * GB, 8, null, 'ssd'],
  ['web-8c-64g-ssd-pg17-windows', 17, 'web', 64 * GB, 8, 200, 'ssd'],
  ['mixed-12c-36g-nvme-pg18-mac', 18, 'mixed', 36 * GB, 12, 100, 'nvme'],
  ['web-nocpu-8g-ssd-pg10', 10, 'web', 8 * GB, null, null, 'ssd'],
];

export const matrix: { name: string; input: BaselineInput }[] = HOSTS.map(
  ([name, major, workload_type, ram_bytes, cpu_count, connections, disk_type]) => ({
    name,
    input: {
      major,
      workload_type,
      ram_bytes,
      cpu_count,
      disk_type,
      ...(connections === null ? {} : { connections }),
    },
  }),
);
