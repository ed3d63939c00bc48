import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { runDemoLoop, startDemoTarget } from '../../src/demo/index.ts';
import { createLogger, startService } from '../../src/service.ts';

it('the demo goes through the whole loop over HTTP', { timeout: 300_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pgluthier-e2e-'));
  const target = await startDemoTarget(() => {});
  const service = await startService(
    { ...loadConfig({ PGLUTHIER_DATA_DIR: directory, PGLUTHIER_PORT: '0', PGLUTHIER_JOBS: 'off' }) },
    createLogger('silent'),
  );
  try {
    const result = await runDemoLoop({
      service: { url: service.url, token: service.fresh_token ?? '' },
      dsn: target.dsn,
      rounds: 16,
      connections: 2,
      progress: () => {},
    });
    const { recommendations, rejections } = result.report;
    const indexes = recommendations.flatMap((item) =>
      item.change.kind === 'index.create' ? [item.change.index] : [],
    );
    expect(indexes.some((index) => index.keys.length > 1)).toBe(true);
    expect(
      indexes.some(
        (index) =>
          index.where !== null ||
          index.method !== 'btree' ||
          index.keys.some((key) => key.expression !== null),
      ),
    ).toBe(true);
    for (const kind of ['setting', 'table.reloptions', 'index.drop']) {
      expect(recommendations.map((item) => item.kind)).toContain(kind);
    }
    for (const item of recommendations) {
      expect(item.evidence.length, item.title).toBeGreaterThan(0);
      if (!['finding', 'analyze', 'vacuum'].includes(item.kind))
        expect(item.rollback.length, item.title).toBeGreaterThan(0);
    }
    expect(rejections.length).toBeGreaterThan(0);

    const created = result.applied.filter((item) => item.kind === 'index.create');
    expect(created.map((item) => item.outcome)).toEqual(created.map(() => 'applied'));
    const client = new pg.Client({ connectionString: target.dsn });
    await client.connect();
    for (const index of indexes) {
      const { rows } = await client.query<{ valid: boolean }>(
        'SELECT indisvalid AS valid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = $1',
        [index.name],
      );
      expect(rows, index.name).toEqual([{ valid: true }]);
    }
    await client.end();
    const total = (pick: 'total_ms_before' | 'total_ms_after') =>
      result.measured.reduce((sum, row) => sum + row[pick], 0);
    expect(total('total_ms_after')).toBeLessThan(total('total_ms_before') / 2);
    expect(created.filter((item) => item.verdict?.verdict === 'succeeded').length).toBeGreaterThanOrEqual(3);
  } finally {
    await service.stop();
    await target.server.stop('immediate');
    await rm(directory, { recursive: true, force: true });
  }
});
