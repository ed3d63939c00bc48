import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hostSettings, settingNatures } from '../../src/advise/index.ts';
import { type TuneOptions, tune } from '../../src/commands/tune.ts';
import { SET_BY_OWNER } from '../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { matrix } from '../advise/settings/matrix.ts';

const GB = 1024 ** 3;
const usual: TuneOptions = { ram: 16 * GB, cpu: 4, disk: 'ssd', pg: 17, workload: 'web', format: 'text' };

/** The matrix' hosts as a command line gives them, for any major. */
const hosts = (major: number): TuneOptions[] =>
  matrix.map(({ input }) => ({
    ram: input.ram_bytes,
    pg: major,
    workload: input.workload_type,
    format: 'sql',
    ...(input.cpu_count === null ? {} : { cpu: input.cpu_count }),
    ...(input.disk_type === null ? {} : { disk: input.disk_type }),
    ...(input.connections === undefined ? {} : { connections: input.connections }),
  }));

describe.each(availableMajors())('tune, PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startEmbedded({ major, light: 'memory' });
    client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await server?.stop('immediate');
  });

  it('knows units and restarts as the server does', async () => {
    const natures = settingNatures(major);
    const names = Object.keys(natures);
    const { rows } = await client.query(
      `SELECT name, unit, context = 'postmaster' AS restart FROM pg_settings WHERE name = ANY ($1) ORDER BY name`,
      [names],
    );
    expect(rows.map(({ name, ...nature }) => [name, nature])).toEqual(
      names.toSorted().map((name) => [name, natures[name]]),
    );
  });

  it('gives no host a value that the server refuses', async () => {
    for (const host of hosts(major)) {
      for (const line of tune(host).split('\n')) {
        if (line.startsWith('ALTER SYSTEM')) await client.query(line);
      }
      await client.query('ALTER SYSTEM RESET ALL');
    }
  });

  it('gives the owner of a database only what he may set for it, and all of that', async () => {
    const { rows } = await client.query(`SELECT name, context = 'user' AS own FROM pg_settings`);
    const own = new Map(rows.map(({ name, own }) => [name, own]));
    for (const name of SET_BY_OWNER) expect([name, own.get(name)]).toEqual([name, true]);
    for (const name of Object.keys(settingNatures(major)))
      expect([name, SET_BY_OWNER.has(name)]).toEqual([name, own.get(name)]);
    await client.query('CREATE ROLE owner');
    await client.query('CREATE DATABASE your_database OWNER owner');
    await client.query('SET ROLE owner');
    const text = tune({ ...usual, pg: major, format: 'neon' });
    await client.query(text.replaceAll(/^--.*$/gm, ''));
    const { rows: set } = await client.query(
      `SELECT cardinality(setconfig) AS settings FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
       WHERE d.datname = 'your_database'`,
    );
    expect(set).toEqual([{ settings: text.match(/^ALTER DATABASE/gm)?.length }]);
    await client.query('RESET ROLE');
    await client.query('DROP DATABASE your_database');
    expect(text).toMatch(/^-- not to be set there.* shared_buffers/m);
  });

  it('boots with what a small host gets', async () => {
    for (const line of tune({ ...usual, ram: GB, pg: major, format: 'sql' }).split('\n')) {
      if (line.startsWith('ALTER SYSTEM')) await client.query(line);
    }
    await client.end();
    await server.restart();
    client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
    const wanted = hostSettings({
      ram_bytes: GB,
      cpu_count: 4,
      disk_type: 'ssd',
      major,
      workload_type: 'web',
    });
    for (const [name, { text }] of Object.entries(wanted.values)) {
      const { rows } = await client.query('SELECT current_setting($1) AS value', [name]);
      expect([name, rows[0].value]).toEqual([name, text]);
    }
  });
});

describe('tune', () => {
  it.each(matrix)('fits all of it into memory: $name', ({ input }) => {
    const { worst_case_bytes, budget_bytes } = hostSettings(input);
    expect(worst_case_bytes).toBeLessThanOrEqual(budget_bytes);
    expect(budget_bytes).toBeLessThan(input.ram_bytes);
  });

  it('compresses no WAL unseen: what a build has, and whether anybody needs it, hardware does not tell', () => {
    for (const { input } of matrix)
      expect(Object.keys(hostSettings(input).values)).not.toContain('wal_compression');
  });

  it('says what was not given, and what it then leaves alone', () => {
    const text = tune({ ram: 4 * GB, pg: 18, workload: 'oltp', format: 'text' });
    expect(text).toContain('Not given: --cpu');
    expect(text).toContain('Not given: --disk');
    expect(text).not.toMatch(/^random_page_cost|^max_parallel_workers/m);
  });

  it('writes each owner’s dialect', () => {
    const as = (format: TuneOptions['format']) => tune({ ...usual, format });
    expect(as('conf')).toMatch(/^shared_buffers = 4GB {2}# wants a restart$/m);
    expect(as('sql')).toMatch(/^ALTER SYSTEM SET work_mem = '24MB';$/m);
    // 4GB in pages of 8kB: a static parameter.
    expect(as('rds')).toContain(
      '"ParameterName=shared_buffers,ParameterValue=524288,ApplyMethod=pending-reboot"',
    );
    expect(as('rds').match(/modify-db-parameter-group/g)?.length).toBe(2);
    // The list of flags is replaced as a whole: what is set today must be in it.
    expect(as('cloudsql')).toContain('gcloud sql instances describe "$INSTANCE" --format=json');
    expect(as('cloudsql')).toContain('"log_temp_files":"10240"');
    expect(as('cloudsql')).toContain('--database-flags="^~^$FLAGS"');
    expect(as('alloydb')).toContain('gcloud alloydb instances update');
    expect(as('aurora')).toContain('modify-db-cluster-parameter-group');
    expect(as('supabase')).toContain('--config work_mem=24MB');
    expect(as('neon')).toContain(`ALTER DATABASE "your_database" SET work_mem = '24MB';`);
    expect(as('azure')).toContain('--name log_autovacuum_min_duration --value 60000\n');
    expect(as('patroni')).toContain('    jit: "off"\n');
    expect(as('cnpg')).toContain('      shared_buffers: "4GB"\n');
    const json = JSON.parse(as('json'));
    expect(json.settings).toContainEqual(
      expect.objectContaining({ name: 'shared_buffers', text: '4GB', bare: '524288', restart: true }),
    );
    expect(json.worst_case_bytes).toBeLessThan(16 * GB);
  });

  it('manifests are YAML whose values are all text, and hold nothing that the operator refuses', () => {
    const large = { ...usual, ram: 64 * GB, cpu: 16, pg: 18 };
    const values = hostSettings({
      ram_bytes: large.ram,
      cpu_count: 16,
      disk_type: 'ssd',
      major: 18,
      workload_type: 'web',
    }).values;
    const texts = Object.fromEntries(Object.entries(values).map(([name, { text }]) => [name, text]));
    expect(parse(tune({ ...large, format: 'patroni' })).postgresql.parameters).toEqual(texts);
    // FixedConfigurationParameters of cloudnative-pg's pkg/postgres/configuration.go have huge_pages.
    const { huge_pages, log_line_prefix, ...allowed } = texts;
    expect([huge_pages, log_line_prefix]).toEqual(['try', expect.any(String)]);
    const cnpg = tune({ ...large, format: 'cnpg' });
    expect(parse(cnpg).spec.postgresql.parameters).toEqual(allowed);
    expect(cnpg).toMatch(/^# huge_pages: /m);
  });

  it('RDS takes blocks of 8 kB, and has huge pages on by itself', () => {
    const ram = 64 * GB;
    const rds = tune({ ...usual, ram, format: 'rds' });
    // RDS's own default for it is {DBInstanceClassMemory/32768}: a quarter of RAM in blocks of 8 kB.
    expect(rds).toContain(`ParameterName=shared_buffers,ParameterValue=${ram / 32768},`);
    expect(rds).not.toContain('ParameterName=huge_pages');
    expect(rds).toMatch(/^# huge_pages: on by itself/m);
  });

  it('many CPUs get what pgtune gives them, a log its lines, and owners of the log’s format keep theirs', () => {
    const of = (more: Partial<TuneOptions>) => tune({ ...usual, format: 'conf', ...more });
    const large = of({ ram: 256 * GB, cpu: 64, disk: 'nvme', pg: 18 });
    expect(large).toContain('autovacuum_max_workers = 5\n');
    expect(large).toContain('io_workers = 16\n');
    expect(of({ ram: 64 * GB, cpu: 16 })).toContain('autovacuum_max_workers = 4  # wants a restart\n');
    expect(of({})).toContain('maintenance_io_concurrency = 200\n');
    expect(of({ disk: 'hdd' })).not.toContain('maintenance_io_concurrency');
    expect(of({})).toContain("log_line_prefix = '%m [%p] %q%u@%d %a '\n");
    expect(of({})).toContain('log_min_duration_statement = 1s\n');
    expect(of({ format: 'cloudsql' })).not.toContain('log_line_prefix');
    // Two CPUs: never fewer workers than PostgreSQL's default without a reason that was measured.
    expect(of({ cpu: 2 })).toContain('max_parallel_workers_per_gather = 2\n');
    expect(of({ cpu: 1 })).toContain('max_parallel_workers_per_gather = 0\n');
  });

  it.each([
    [{ pg: 9 }, '--pg 9'],
    [{ ram: 1024 }, '256MB'],
  ])('refuses %j', (wrong, message) => {
    expect(() => tune({ ...usual, ...wrong })).toThrow(
      expect.objectContaining({ code: 'usage_invalid', message: expect.stringContaining(message) }),
    );
  });
});
