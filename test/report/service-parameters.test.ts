/** What is printed for services holds to their own lists of parameters. */
import { describe, expect, test } from 'vitest';
import { settingNatures } from '../../src/advise/index.ts';
import { rule as completionTarget } from '../../src/advise/rules/settings/checkpoint-completion-target.ts';
import { tune } from '../../src/commands/tune.ts';
import { SET_BY_OWNER } from '../../src/domain/index.ts';
import { renderSettings } from '../../src/report/index.ts';
import { matrix } from '../advise/settings/matrix.ts';
import { contextOf, snapshotOf } from '../support/snapshot-builder.ts';
import { AURORA_CLUSTER, AZURE_17, CNPG_FIXED_ONCE, PROPOSED, SUPABASE_CLI } from './vendor-parameters.ts';

const all = PROPOSED.map((name) => ({ name, text: '100', bare: '100', restart: false }));
const text = (dialect: Parameters<typeof renderSettings>[1]) => renderSettings(all, dialect);
/** Names that a pattern's group finds, in their order. */
const names = (output: string, pattern: RegExp) => [...output.matchAll(pattern)].map(([, name]) => name);
const sorted = (list: Iterable<string | undefined>) => [...list].toSorted();

describe('what is proposed', () => {
  test('is all in these lists: what tune knows, and what owners may set', () => {
    for (const name of [...Object.keys(settingNatures(17)), ...SET_BY_OWNER])
      expect(PROPOSED).toContain(name);
  });
});

describe('Supabase', () => {
  test('the call has the keys that the CLI takes, and no other', () => {
    const keys = names(text('supabase'), /--config (\w+)=/g);
    expect(sorted(keys)).toEqual(sorted(PROPOSED.filter((name) => SUPABASE_CLI.includes(name))));
  });

  test('what an owner or supautils may set is SQL, the rest is named with the reason', () => {
    const output = text('supabase');
    expect(output).toContain(
      `# random_page_cost: no key of supabase postgres-config; with psql: ALTER DATABASE your_database SET random_page_cost = '100';`,
    );
    expect(output).toContain(`with psql: ALTER ROLE your_role SET log_lock_waits = '100';`);
    expect(output).toContain('# wal_buffers: no key of supabase postgres-config\n');
    const told = names(output, /^# (\w+): no key/gm);
    expect(sorted(told)).toEqual(sorted(PROPOSED.filter((name) => !SUPABASE_CLI.includes(name))));
  });

  test('nothing is called where no key is left', () => {
    const one = [{ name: 'wal_buffers', text: '16MB', bare: '2048', restart: true }];
    expect(renderSettings(one, 'supabase')).toBe('# wal_buffers: no key of supabase postgres-config\n');
  });
});

describe('Aurora', () => {
  test('the cluster’s group gets what Aurora has, without checkpoints and WAL', () => {
    const output = text('aurora');
    const given = names(output, /ParameterName=(\w+)/g);
    expect(sorted(given)).toEqual(sorted(AURORA_CLUSTER.filter((name) => name !== 'huge_pages')));
    for (const name of ['max_wal_size', 'checkpoint_timeout', 'wal_compression'])
      expect(output).toContain(`# ${name}: not among the parameters of Aurora PostgreSQL 14, whose storage`);
    expect(output).toMatch(/^# jit: .*ALTER DATABASE your_database SET jit/m);
    expect(output).toMatch(/^# A value in the DB parameter group of an instance goes before/);
  });

  test('booleans of parameter groups are 0 and 1', () => {
    const switches = [
      { name: 'jit', text: 'off', bare: 'off', restart: false },
      { name: 'log_lock_waits', text: 'on', bare: 'on', restart: false },
    ];
    expect(renderSettings(switches, 'rds')).toMatch(
      /=jit,ParameterValue=0,[\s\S]*=log_lock_waits,ParameterValue=1,/,
    );
  });
});

describe('Azure', () => {
  const set = (output: string) =>
    [...output.matchAll(/--name (\w+) --value (?:'([^']*)'|(\S+))$/gm)].map(
      ([, name = '', quoted, plain]) => [name, quoted ?? plain ?? ''] as const,
    );

  test('nothing that is read-only is set, and it is said', () => {
    const readOnly = PROPOSED.filter((name) => AZURE_17[name]?.[0] === 'read-only');
    const output = text('azure');
    expect(sorted(set(output).map(([name]) => name))).toEqual(
      sorted(PROPOSED.filter((name) => !readOnly.includes(name))),
    );
    expect(sorted(names(output, /^# (\w+): read-only on Azure$/gm))).toEqual(sorted(readOnly));
  });

  test('a restart is wanted where Azure says static', () => {
    for (const [name, { restart }] of Object.entries(settingNatures(17))) {
      const type = AZURE_17[name]?.[0];
      if (type !== 'read-only') expect([name, type]).toEqual([name, restart ? 'static' : 'dynamic']);
    }
  });

  test.each(matrix.map(({ input }) => [JSON.stringify(input), input] as const))(
    'each value is allowed: %s',
    (_, input) => {
      const output = tune({
        ram: input.ram_bytes,
        pg: 17,
        workload: input.workload_type,
        format: 'azure',
        cpu: input.cpu_count ?? 4,
        disk: input.disk_type ?? 'ssd',
        ...(input.connections === undefined ? {} : { connections: input.connections }),
      });
      expect(set(output).length).toBeGreaterThan(15);
      for (const [name, value] of set(output)) {
        const allowed = AZURE_17[name]?.[1] ?? [];
        if (allowed instanceof RegExp) expect([name, value]).toEqual([name, expect.stringMatching(allowed)]);
        else if (typeof allowed[0] === 'string')
          expect([name, allowed]).toEqual([name, expect.arrayContaining([value])]);
        else {
          expect([name, Number(value) >= Number(allowed[0])]).toEqual([name, true]);
          expect([name, Number(value) <= Number(allowed[1])]).toEqual([name, true]);
        }
      }
    },
  );

  test('2 GB is a kB too much, and what was wanted is told', () => {
    const one = [{ name: 'maintenance_work_mem', text: '2GB', bare: '2097152', restart: false }];
    expect(renderSettings(one, 'azure')).toMatch(
      /--value 2097151\n# maintenance_work_mem: 2097151 is the nearest to 2097152/,
    );
    const own = [{ name: 'autovacuum_work_mem', text: '-1', bare: '-1', restart: false }];
    expect(renderSettings(own, 'azure')).toMatch(/--value -1\n$/);
  });
});

describe('Google', () => {
  test('Cloud SQL is asked for its flags, AlloyDB’s page is named', () => {
    const cloudsql = text('cloudsql');
    expect(cloudsql).toContain(`gcloud sql flags list --database-version="$VERSION" --format='value(name)'`);
    const asked = /printf '%s\\n' ([\w ]+)\)/.exec(cloudsql)?.[1]?.split(' ');
    expect(asked).toEqual(sorted(PROPOSED));
    expect(text('alloydb')).toMatch(/reference\/database-flags[\s\S]*read pool instance first/);
  });
});

describe('operators', () => {
  test('Patroni: local configuration goes before this, and its least values hold', () => {
    const few = [
      { name: 'max_connections', text: '20', bare: '20', restart: true },
      { name: 'work_mem', text: '64MB', bare: '65536', restart: false },
    ];
    const output = renderSettings(few, 'patroni');
    expect(output).toMatch(/^# What postgresql.parameters of a local patroni.yml has goes before this/m);
    expect(output).toMatch(/^# Only here, for all nodes: max_connections\. /m);
    expect(output).toContain('    max_connections: "25"\n    work_mem: "64MB"\n');
    expect(output).toContain('# max_connections: 25 is the nearest to 20 that is taken there');
  });

  test('CloudNativePG: the manifest has all but what a release refused', () => {
    const given = names(text('cnpg'), /^ {6}(\w+): /gm);
    expect(sorted(given)).toEqual(sorted(PROPOSED.filter((name) => !CNPG_FIXED_ONCE.includes(name))));
  });
});

test.each(['aurora', 'supabase'])('on %s what nobody can set is no advice', async (service) => {
  const name = 'checkpoint_completion_target';
  const told = (managed_service: string | null) =>
    completionTarget.evaluate(
      contextOf(snapshotOf({ server: { managed_service }, settings: { [name]: '0.5' } })),
    );
  for (const other of [null, 'rds', 'azure'])
    expect((await told(other)).recommendations).toMatchObject([{ setting: { name } }]);
  const { recommendations, rejections } = await told(service);
  expect(recommendations).toEqual([]);
  const reason = expect.stringContaining(`nobody can set it on ${service}`);
  expect(rejections).toMatchObject([{ candidate: name, code: 'not_available', reason }]);
});
