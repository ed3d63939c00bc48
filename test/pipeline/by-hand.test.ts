/** The same setting in the words of whoever runs the server. */
import { describe, expect, test } from 'vitest';
import { rule } from '../../src/advise/rules/settings/effective-cache-size.ts';
import { dialectsOf } from '../../src/pipeline/by-hand.ts';
import { finaliseDrafts } from '../../src/pipeline/finalise.ts';
import { renderSettings } from '../../src/report/index.ts';
import { contextOf, snapshotOf } from '../support/snapshot-builder.ts';

async function finalised(parts: Parameters<typeof snapshotOf>[0]) {
  const snapshot = snapshotOf(parts);
  const { recommendations } = await rule.evaluate(contextOf(snapshot));
  const [item] = finaliseDrafts('target', recommendations, [], dialectsOf(snapshot));
  if (!item) throw new Error('nothing was proposed');
  return item;
}

describe('by hand', () => {
  test.each([
    ['rds', '"ParameterName=effective_cache_size,ParameterValue=1572864,ApplyMethod=immediate"'],
    ['aurora', 'modify-db-cluster-parameter-group'],
    ['cloudsql', '"effective_cache_size":"1572864"'],
    ['alloydb', 'gcloud alloydb instances update'],
    ['azure', '--name effective_cache_size --value 1572864'],
    ['supabase', '--config effective_cache_size=12GB'],
    ['neon', `ALTER DATABASE "your_database" SET effective_cache_size = '12GB';`],
  ])('on %s a finding with the text to run', async (managed_service, text) => {
    const item = await finalised({ server: { managed_service } });
    expect(item.change).toEqual({ kind: 'finding' });
    expect(item.statements).toEqual([]);
    expect(item.by_hand).toEqual([{ dialect: managed_service, text: expect.stringContaining(text) }]);
  });

  test('where Patroni or CloudNativePG hold the configuration, their YAML', async () => {
    const item = await finalised({ settings: { allow_alter_system: 'off' } });
    expect(item.by_hand?.map(({ dialect }) => dialect)).toEqual(['patroni', 'cnpg']);
    expect(item.by_hand?.[1]?.text).toContain('      effective_cache_size: "12GB"');
  });

  test('a role’s value is SQL on Neon, which is a script, and said elsewhere', () => {
    const one = { name: 'work_mem', text: '64MB', bare: '65536', restart: false, role: 'reports' };
    expect(renderSettings([one], 'neon')).toBe(`ALTER ROLE reports SET work_mem = '64MB';\n`);
    expect(renderSettings([one], 'rds')).toMatch(/^# with psql: ALTER ROLE/);
  });

  test.each([null, 'rds'])(
    'what ALTER DATABASE set is set so again, whoever runs the server: %s',
    async (service) => {
      const override = { name: 'effective_cache_size', value: '64MB', role: null, database: 'shop' };
      const item = await finalised({
        server: { managed_service: service },
        settings: { effective_cache_size: { setting: '8192', source: 'database' } },
        setting_overrides: [override],
      });
      const text = `ALTER DATABASE shop SET effective_cache_size = '12GB';`;
      expect(item.statements.join(';')).toContain(text.slice(0, -1));
      expect(item.by_hand).toEqual([{ dialect: 'sql', text: `${text}\n` }]);
    },
  );

  test('elsewhere the SQL that is applied, and a line for postgresql.conf; the hash is of the change alone', async () => {
    const item = await finalised({});
    expect(item.by_hand).toEqual([
      { dialect: 'sql', text: expect.stringContaining(item.statements[0] ?? '?') },
      { dialect: 'conf', text: 'effective_cache_size = 12GB\n' },
    ]);
    const { recommendations } = await rule.evaluate(contextOf(snapshotOf()));
    const [without] = finaliseDrafts('target', recommendations);
    expect(without?.plan_hash).toBe(item.plan_hash);
    expect(without?.by_hand).toBeUndefined();
  });
});
