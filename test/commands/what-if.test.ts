import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyzeOnce } from '../../src/commands/analyze.ts';
import { type EmbeddedServer, findInstallations, startEmbedded } from '../../src/embedded/index.ts';

const installation = [15, 14, 16, 17, 18]
  .flatMap((major) => findInstallations(major))
  .find(({ extensions }) => extensions.has('hypopg'));

const options = { format: 'text' as const, only: ['index' as const] };

describe('analyze --what-if with a file', () => {
  it('takes the twin alone', async () => {
    for (const whatIf of ['hypopg', 'both'] as const) {
      await expect(analyzeOnce(undefined, { ...options, snapshot: 'any', whatIf })).rejects.toMatchObject({
        code: 'usage_invalid',
        remedy: expect.stringContaining('the twin needs only the file'),
      });
    }
  });
});

describe.skipIf(installation === undefined)('analyze --what-if (needs postgresql-15-hypopg)', () => {
  let server: EmbeddedServer;
  let folder = '';
  let workload = '';
  beforeAll(async () => {
    if (!installation) return;
    folder = await mkdtemp(join(tmpdir(), 'what-if-'));
    workload = join(folder, 'workload.sql');
    await writeFile(
      workload,
      `-- calls: 100
       SELECT * FROM sale WHERE customer = 77;
       -- calls: 10
       SELECT * FROM sale WHERE words @@ to_tsquery('simple', 'w7');`,
    );
    server = await startEmbedded({ installation, light: 'disk', settings: { autovacuum: 'off' } });
    const client = new pg.Client({ connectionString: server.dsn() });
    await client.connect();
    await client.query(`CREATE DATABASE without_it`);
    const fill = `CREATE TABLE sale (id int PRIMARY KEY, customer int, words tsvector);
      INSERT INTO sale SELECT i, (i * 7919) % 5000, to_tsvector('simple', 'w' || i % 3000 || ' x' || i % 7) FROM generate_series(1, 40000) AS i`;
    await client.query(`CREATE EXTENSION hypopg; ${fill}`);
    await client.query('VACUUM ANALYZE sale');
    await client.end();
    const other = new pg.Client({ connectionString: server.dsn('without_it') });
    await other.connect();
    await other.query(fill);
    await other.query('VACUUM ANALYZE sale');
    await other.end();
  }, 120_000);
  afterAll(async () => {
    await server?.stop('immediate');
    await rm(folder, { recursive: true, force: true });
  });
  const analyze = (whatIf: 'twin' | 'hypopg' | 'both', database = 'postgres') =>
    analyzeOnce(server.dsn(database), { ...options, workload, whatIf });

  it('both: the twin chooses, HypoPG is asked about what it can make, and the report says both', async () => {
    const report = await analyze('both');
    expect(report.summary.what_if?.engine).toBe('twin');
    const { cost_before, cost_after, cost_floor } = report.summary;
    expect(cost_floor).toBeGreaterThan(0);
    // The planner drops paths that are within 1 % of another.
    expect(cost_floor).toBeLessThanOrEqual((cost_after ?? 0) * 1.01);
    expect(cost_after).toBeLessThan((cost_before ?? 0) / 5);
    const found = report.recommendations.filter((item) => item.rule === 'index/missing');
    const methods = found.map((item) =>
      item.change.kind === 'index.create' ? item.change.index.method : '',
    );
    expect(methods.sort()).toEqual(['btree', 'gin']);
    const second = (method: string) =>
      found
        .find((item) => item.change.kind === 'index.create' && item.change.index.method === method)
        ?.evidence.find((row) => row.source.includes('hypopg'));
    const told = String(second('btree')?.value);
    const [ours, theirs] = (told.replaceAll(',', '').match(/[\d.]+/g) ?? []).map(Number);
    expect(told).toMatch(/^[\d.,]+ and [\d.,]+ cost units$/);
    expect(ours).toBeGreaterThan(0);
    expect((theirs ?? 0) / (ours ?? 1)).toBeCloseTo(1, 0);
    expect(second('gin')).toBeUndefined();
    const codes = report.limits.map((limit) => limit.code);
    expect(codes).toContain('what_if_not_compared');
    expect(codes).not.toContain('what_if_engines_disagree');
  });

  it('hypopg: the target plans, and what it cannot make is refused by name', async () => {
    const report = await analyze('hypopg');
    expect(report.summary.what_if?.engine).toBe('hypopg');
    const found = report.recommendations.filter((item) => item.rule === 'index/missing');
    expect(found.map((item) => item.key)).toEqual([expect.stringContaining('btree')]);
    expect(
      report.rejections.filter((row) => row.code === 'refused_by_postgresql').map((row) => row.reason),
    ).toEqual([expect.stringContaining('HypoPG does not take it')]);
    expect(report.limits.map((limit) => limit.code)).toContain('hypopg_sizes');
  });

  it('says so where the extension is not installed', async () => {
    await expect(analyze('hypopg', 'without_it')).rejects.toMatchObject({ code: 'hypopg_missing' });
    const report = await analyze('both', 'without_it');
    expect(report.recommendations.some((item) => item.rule === 'index/missing')).toBe(true);
    expect(report.limits.map((limit) => limit.code)).toContain('what_if_not_checked');
  });
});
