/**
 * pgtune's values for a Linux host, written from its source: le0pard/pgtune at 7caef27,
 * src/features/configuration/configurationSlice.js (MIT). Sizes in kB as it reckons them. Its rules for other systems and
 * for versions before 15 are left out.
 */
export interface PgtuneInput {
  major: number;
  type: 'web' | 'oltp' | 'dw' | 'mixed';
  ram_bytes: number;
  cpus: number;
  disk: 'hdd' | 'ssd' | 'san' | 'nvme';
  /** How large the database is against RAM. */
  size: 'less_ram' | 'mid_ram' | 'greater_ram';
  connections?: number;
}

const MB = 1024;
const GB = 1024 * MB;
const CONNECTIONS = { web: 200, oltp: 300, dw: 40, mixed: 100 } as const;
const WAL: Record<PgtuneInput['type'], readonly [number, number]> = {
  web: [1 * GB, 4 * GB],
  oltp: [2 * GB, 8 * GB],
  dw: [4 * GB, 16 * GB],
  mixed: [1 * GB, 4 * GB],
};
const IO_CONCURRENCY = { hdd: 2, ssd: 200, san: 300, nvme: 1000 } as const;
const BY_SIZE = { less_ram: 1.3, mid_ram: 1, greater_ram: 0.9 } as const;

/** By setting, as postgresql.conf takes them. */
export function pgtune(input: PgtuneInput): Record<string, string> {
  const { type, cpus, disk, size, major } = input;
  const ram = Math.floor(input.ram_bytes / 1024);
  const connections = input.connections ?? CONNECTIONS[type];
  const buffers = Math.floor(ram / 4);
  const maintenance = Math.min(Math.floor(ram / (type === 'dw' ? 8 : 16)), 8 * GB);
  const kB = (value: number) => `${value}kB`;
  const halved = type === 'dw' || type === 'mixed' ? 2 : 1;
  const processes = cpus >= 4 ? cpus : 8;
  // Whole kilobytes before the database's size is looked at.
  const share = Math.floor((ram - buffers) / ((connections + processes) * 3) / halved);
  const work = Math.floor(share * BY_SIZE[size]);
  const wal = Math.min(Math.floor((3 * buffers) / 100), 16 * MB);
  const inMemory = size === 'less_ram';
  const values: Record<string, string> = {
    max_connections: String(connections),
    shared_buffers: kB(buffers),
    effective_cache_size: kB(Math.floor((ram * 3) / 4)),
    maintenance_work_mem: kB(maintenance),
    checkpoint_completion_target: '0.9',
    wal_buffers: kB(wal > 14 * MB ? 16 * MB : Math.max(32, wal)),
    default_statistics_target: type === 'dw' ? '500' : '100',
    random_page_cost: !inMemory && (disk === 'hdd' || type === 'dw') ? '4' : '1.1',
    effective_io_concurrency: String(IO_CONCURRENCY[disk]),
    work_mem: kB(Math.max(4 * MB, work)),
    huge_pages: buffers >= 2 * GB ? 'try' : 'off',
    wal_compression: 'lz4',
    min_wal_size: kB(WAL[type][0]),
    max_wal_size: kB(WAL[type][1]),
  };
  if (type !== 'dw') values.jit = 'off';
  if (maintenance >= 2 * GB) values.autovacuum_work_mem = kB(2 * GB);
  if (cpus >= 16) values.autovacuum_max_workers = cpus >= 32 ? '5' : '4';
  if (major >= 18) values.io_method = 'io_uring';
  if (cpus >= 4) {
    const half = Math.ceil(cpus / 2);
    values.max_worker_processes = String(cpus);
    values.max_parallel_workers = String(cpus);
    values.max_parallel_workers_per_gather = String(type === 'dw' ? half : Math.min(half, 4));
    values.max_parallel_maintenance_workers = String(Math.min(half, 4));
  }
  return values;
}
