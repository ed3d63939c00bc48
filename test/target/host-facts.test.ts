import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { cpuQuota, memoryLimit } from '../../src/target/cgroup.ts';
import { diskOf, diskTypeOf } from '../../src/target/disk.ts';
import type { HostFiles } from '../../src/target/host-files.ts';
import { hostUsage } from '../../src/target/host-usage.ts';
import { detectHostFacts, hostLimits, openTarget } from '../../src/target/index.ts';
import { serviceOf } from '../../src/target/managed-service.ts';
import { testServer } from '../support/servers.ts';
import { asRole } from './as-role.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };
const GB = 1024 ** 3;

/** A host whose files are these. */
function host(files: Record<string, string>): HostFiles {
  return {
    source: 'test',
    process: '/proc/7',
    read: async (path) => files[path] ?? null,
    resolve: async (path) => path,
  };
}

describe('limits of control groups', () => {
  it('v1 writes a huge number, v2 "max" or no file at all, for no limit', async () => {
    expect(
      await memoryLimit(
        host({ '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' }),
        8 * GB,
      ),
    ).toBeNull();
    expect(await memoryLimit(host({ '/sys/fs/cgroup/memory.max': 'max\n' }), 8 * GB)).toBeNull();
    expect(await memoryLimit(host({}), 8 * GB)).toBeNull();
    expect(await cpuQuota(host({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' }))).toBeNull();
    expect(await cpuQuota(host({ '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n' }))).toBeNull();
  });

  it('the tightest of the group and those above it counts', async () => {
    const files = host({
      '/proc/7/cgroup': '0::/system.slice/postgresql.service\n',
      '/sys/fs/cgroup/system.slice/postgresql.service/memory.max': `${4 * GB}\n`,
      '/sys/fs/cgroup/system.slice/memory.max': `${2 * GB}\n`,
      '/sys/fs/cgroup/system.slice/postgresql.service/cpu.max': '250000 100000\n',
      '/sys/fs/cgroup/system.slice/cpu.max': 'max 100000\n',
    });
    expect(await memoryLimit(files, 8 * GB)).toEqual({
      value: 2 * GB,
      path: '/sys/fs/cgroup/system.slice/memory.max',
    });
    expect((await cpuQuota(files))?.value).toBe(2.5);
  });

  it('a container sees its group as the root, whatever the path says', async () => {
    const files = host({
      '/proc/7/cgroup': '12:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${GB}\n`,
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    expect((await memoryLimit(files, 8 * GB))?.value).toBe(GB);
    expect((await cpuQuota(files))?.value).toBe(1.5);
  });
});

describe('limits in effect', () => {
  it('memory.high is one, where it is below memory.max', async () => {
    const files = host({
      '/sys/fs/cgroup/memory.max': `${4 * GB}\n`,
      '/sys/fs/cgroup/memory.high': `${3 * GB}\n`,
    });
    expect(await memoryLimit(files, 8 * GB)).toEqual({ value: 3 * GB, path: '/sys/fs/cgroup/memory.high' });
    expect(await memoryLimit(host({ '/sys/fs/cgroup/memory.high': 'max\n' }), 8 * GB)).toBeNull();
  });

  it('v1 controllers that are mounted together are found by both names', async () => {
    const files = host({
      '/proc/7/cgroup': '3:cpu,cpuacct:/slice\n',
      '/sys/fs/cgroup/cpu,cpuacct/slice/cpu.cfs_quota_us': '300000\n',
      '/sys/fs/cgroup/cpu,cpuacct/slice/cpu.cfs_period_us': '100000\n',
    });
    expect((await cpuQuota(files))?.value).toBe(3);
  });
});

describe('a managed service', () => {
  const none = { aurora: false, prefixes: [], roles: [] };
  it.each([
    [{ ...none, aurora: true, prefixes: ['rds'] }, 'h', 'aurora', 'aurora_version()'],
    [{ ...none, prefixes: ['rds'], roles: ['rds_superuser'] }, 'h', 'rds', 'settings rds.*'],
    [{ ...none, roles: ['cloudsqlsuperuser'] }, '10.0.0.3', 'cloudsql', 'role cloudsqlsuperuser'],
    [{ ...none, prefixes: ['alloydb'], roles: ['cloudsqlsuperuser'] }, 'h', 'alloydb', 'settings alloydb.*'],
    [none, 'X.postgres.database.AZURE.com.', 'azure', 'host name'],
    [none, 'db.abc.supabase.co', 'supabase', 'host name'],
    [none, 'ep-a.eu-central-1.aws.neon.tech', 'neon', 'host name'],
    [none, 'neon.tech.example.org', null, 'no sign'],
  ])('%j at %s is %s', (signs, address, value, source) => {
    expect(serviceOf(signs, address)).toEqual({ value, source: expect.stringContaining(source) });
  });
});

describe('what cannot be told', () => {
  const known = { value: 4, source: 'test' };
  const hidden = { value: null, source: 'not visible: the server is not on this host' };
  it('is a limit that says which override to give, on a service with its class', () => {
    const facts = { ram_bytes: hidden, cpu_count: known, disk_type: hidden };
    expect(hostLimits(facts)).toMatchObject([
      {
        scope: 'host',
        code: 'host_facts_unknown',
        message: `The host's memory, disk type cannot be told: ${hidden.source}.`,
        remedy: expect.stringContaining('--ram 16GB --disk ssd'),
      },
    ]);
    const [limit] = hostLimits({ ...facts, managed_service: { value: 'rds', source: 'settings rds.*' } });
    expect(limit?.remedy).toContain('at rds');
  });

  it('is none where all but the disk is known', () => {
    expect(hostLimits({ ram_bytes: known, cpu_count: known, disk_type: hidden })).toEqual([]);
  });
});

describe('the disk under the data directory', () => {
  const mounts = (line: string) =>
    `20 1 8:1 / / rw - ext4 /dev/sda1 rw\n${line}\n30 20 0:40 / /var/lib/other rw - tmpfs tmpfs rw\n`;
  const at = (line: string, files: Record<string, string>) =>
    diskTypeOf(host({ '/proc/7/mountinfo': mounts(line), ...files }), '/var/lib/pg data/18');
  const line = (device: string, fileSystem: string, source: string) =>
    `21 20 ${device} / /var/lib/pg\\040data rw,relatime shared:1 - ${fileSystem} ${source} rw`;

  it("is that of the longest mount, a partition's that of its disk", async () => {
    expect(
      await at(line('259:2', 'xfs', '/dev/nvme0n1p2'), {
        '/sys/dev/block/259:2/uevent': 'DEVNAME=nvme0n1p2\n',
        '/sys/dev/block/259:2/../queue/rotational': '0\n',
      }),
    ).toMatchObject({ value: 'nvme' });
    expect(
      await at(line('8:17', 'ext4', '/dev/sdb1'), {
        '/sys/dev/block/8:17/uevent': 'DEVNAME=sdb1\n',
        '/sys/dev/block/8:17/../queue/rotational': '1\n',
        '/sys/dev/block/8:17/../device/model': 'ST4000NM0035\n',
      }),
    ).toMatchObject({ value: 'hdd' });
  });

  it('of a device mapper is asked of the mapper', async () => {
    expect(
      await at(line('253:0', 'ext4', '/dev/mapper/vg-pg'), {
        '/sys/dev/block/253:0/uevent': 'DEVNAME=dm-0\n',
        '/sys/dev/block/253:0/queue/rotational': '0\n',
      }),
    ).toMatchObject({ value: 'ssd' });
  });

  it('of btrfs is found by its source, for its number is none of a device', async () => {
    expect(
      await at(line('0:33', 'btrfs', '/dev/sdc'), {
        '/sys/class/block/sdc/queue/rotational': '0\n',
        '/sys/class/block/sdc/uevent': 'DEVNAME=sdc\n',
      }),
    ).toMatchObject({ value: 'ssd' });
  });

  it('is a network disk where the model says so', async () => {
    expect(
      await at(line('259:0', 'xfs', '/dev/nvme1n1'), {
        '/sys/dev/block/259:0/uevent': 'DEVNAME=nvme1n1\n',
        '/sys/dev/block/259:0/queue/rotational': '0\n',
        '/sys/dev/block/259:0/device/model': 'Amazon Elastic Block Store\n',
      }),
    ).toMatchObject({ value: 'san' });
  });

  it.each([
    ['a virtual disk that says it rotates', '252:0', '/dev/vda', 'vda', '1'],
    ['a loop device', '7:0', '/dev/loop0', 'loop0', '0'],
  ])('is unknown for %s', async (_, device, source, name, rotational) => {
    expect(
      await at(line(device, 'ext4', source), {
        [`/sys/dev/block/${device}/uevent`]: `DEVNAME=${name}\n`,
        [`/sys/dev/block/${device}/queue/rotational`]: `${rotational}\n`,
      }),
    ).toMatchObject({ value: null });
  });

  it('is named with its file system, but a network file system without its server', async () => {
    const device = async (text: string) =>
      (await diskOf(host({ '/proc/7/mountinfo': mounts(text) }), '/var/lib/pg data/18')).device.value;
    expect(await device(line('259:2', 'xfs', '/dev/nvme0n1p2'))).toBe('nvme0n1p2 (xfs)');
    expect(await device(line('0:60', 'nfs4', 'secret-host:/pg'))).toBe('nfs4');
  });

  it('is unknown for an overlay', async () => {
    const { value, source } = await at(line('0:50', 'overlay', 'overlay'), {});
    expect(value).toBeNull();
    expect(source).toContain('overlay');
  });
});

describe("a server's host", () => {
  it('is read through the server by a superuser, here by others; both say the same', async () => {
    const server = await testServer();
    const database = await server.createDatabase();
    const admin = new pg.Client({ connectionString: database.dsn });
    await admin.connect();
    await admin.query(`CREATE ROLE host_reader LOGIN PASSWORD 'x'; GRANT pg_monitor TO host_reader`);
    const through = await openTarget(database.dsn, options);
    const local = await openTarget(asRole(database.dsn, 'host_reader', 'x'), options);
    try {
      const seen = await detectHostFacts(through, {});
      expect(seen.ram_bytes.source).toContain('pg_read_file');
      expect(seen.ram_bytes.value).toBeGreaterThan(GB / 8);
      expect(seen.cpu_count.value).toBeGreaterThanOrEqual(1);
      expect(seen.data_device?.value).not.toBeNull();
      expect(seen.managed_service).toMatchObject({ value: null });
      expect(hostLimits(seen)).toEqual([]);
      const alsoSeen = await detectHostFacts(local, { cpu_count: 64 });
      expect(alsoSeen.cpu_count).toEqual({ value: 64, source: 'operator' });
      if (process.platform === 'linux' && server.dsn().includes('///')) {
        const meminfo = await readFile('/proc/meminfo', 'utf8');
        const total = Number(/MemTotal:\s+(\d+)/.exec(meminfo)?.[1]) * 1024;
        expect(alsoSeen.ram_bytes.source).toContain('this host');
        expect(alsoSeen.ram_bytes.value).toBeLessThanOrEqual(total);
      }
    } finally {
      await Promise.all([through.close(), local.close()]);
      await admin.query('DROP ROLE host_reader');
      await admin.end();
      await database.drop();
    }
  });

  it('leaves no error in the log of a server that does not let us read its files', async () => {
    const server = await testServer();
    const admin = new pg.Client({ connectionString: server.dsn() });
    await admin.connect();
    await admin.query(`CREATE ROLE no_files LOGIN PASSWORD 'x'`);
    const session = await openTarget(asRole(server.dsn(), 'no_files', 'x'), options);
    const failed: string[] = [];
    const watched = {
      ...session,
      query: <T extends object>(sql: string, parameters?: unknown[]) =>
        session.query<T>(sql, parameters).catch((error) => {
          failed.push(sql);
          throw error;
        }),
    };
    const facts = await detectHostFacts(watched, {});
    expect(failed).toEqual([]);
    expect(facts.disk_type.value).toBeNull();
    expect(facts.disk_type.source).toContain('data_directory');
    await session.close();
    await admin.query('DROP ROLE no_files');
    await admin.end();
  });
});

describe('what is in use of the host', () => {
  const stat = 'cpu  100 5 50 800 40 1 2 2 77 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
  const meminfo = 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    250 kB\n';
  const of = (files: Record<string, string>) => hostUsage({ kind: 'files', files: host(files) });

  it('is all ticks but guests, which are counted within user, and memory that is available', async () => {
    expect(await of({ '/proc/stat': stat, '/proc/meminfo': meminfo })).toEqual({
      value: {
        read_at: expect.any(String),
        cpu_total_ticks: 1000,
        cpu_idle_ticks: 840,
        memory_total_bytes: 1_024_000,
        memory_available_bytes: 256_000,
      },
      source: '/proc/stat, /proc/meminfo (test)',
    });
  });

  it('is not told of a server with limits of its own, nor without the files', async () => {
    const limited = { '/proc/stat': stat, '/proc/meminfo': meminfo, '/sys/fs/cgroup/memory.max': '500000\n' };
    expect(await of(limited)).toMatchObject({
      value: null,
      source: expect.stringContaining('control group'),
    });
    const quota = {
      '/proc/stat': stat,
      '/proc/meminfo': meminfo,
      '/sys/fs/cgroup/cpu.max': '50000 100000\n',
    };
    expect((await of(quota)).value).toBeNull();
    for (const files of [
      {},
      { '/proc/stat': stat },
      { '/proc/meminfo': meminfo },
      { '/proc/stat': 'cpu 1', '/proc/meminfo': meminfo },
    ])
      expect((await of(files)).value).toBeNull();
    expect(await hostUsage({ kind: 'none', reason: 'far away' })).toEqual({
      value: null,
      source: 'far away',
    });
  });
});
