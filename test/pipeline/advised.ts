/** A service with a target of a major, and advice as an analysis would have left it. */
import pg from 'pg';
import { buildPlan } from '../../src/apply/index.ts';
import type { Change, Recommendation } from '../../src/domain/index.ts';
import { type TestService, testService } from '../api/service.ts';
import { applyServer } from '../apply/target.ts';
import { recommendation } from '../store/fixtures.ts';

export interface Advised {
  service: TestService;
  targetId: string;
  /** `/v1/targets/{id}`. */
  base: string;
  client: pg.Client;
  /** Its path. */
  propose(id: string, change: Change, more?: Partial<Recommendation>): Promise<string>;
  /** What an analysis said, as it is. Its path. */
  keep(advice: Recommendation): Promise<string>;
  /** Approves what is open at this path as it stands, applies it, waits, and gives the apply. */
  applyNow(path: string): Promise<Record<string, unknown>>;
  stateOf(id: string): Promise<unknown>;
  value(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

export async function advised(major: number, sql: string): Promise<Advised> {
  const { dsn, drop } = await (await applyServer(major)).createDatabase({ sql });
  return advisedOn(dsn, drop);
}

/** The same over a server of the test's own. */
export async function advisedOn(dsn: string, drop: () => Promise<void>): Promise<Advised> {
  const service = await testService({}, { bert: ['approver', 'applier'] });
  const added = await service.ask('POST', '/v1/targets', { name: 'items', dsn });
  const targetId = String(added.body.id);
  const base = `/v1/targets/${targetId}`;
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  const at: Advised = {
    service,
    targetId,
    base,
    client,
    propose: (id, change, more = {}) =>
      at.keep(recommendation(id, { ...buildPlan(change), kind: change.kind, ...more })),
    keep: async (advice) => {
      await service.services.store.recommendations.upsertFromAnalysis(targetId, 'ana', [advice], {
        now: new Date(),
        rules: [],
      });
      return `${base}/recommendations/${advice.id}`;
    },
    applyNow: async (path) => {
      const { body } = await service.ask('GET', path);
      const approved = await service.ask('POST', `${path}/approve`, { plan_hash: body.plan_hash });
      if (approved.status !== 200) throw new Error(JSON.stringify(approved.body));
      const begun = await service.ask('POST', `${path}/apply`);
      if (begun.status !== 202) throw new Error(JSON.stringify(begun.body));
      await service.services.background.idle();
      return (await service.ask('GET', `${base}/applies/${begun.body.id}`)).body;
    },
    stateOf: async (id) => (await service.ask('GET', `${base}/recommendations/${id}`)).body.state,
    value: async (text) => Object.values((await at.client.query(text)).rows[0] ?? {})[0],
    close: async () => {
      await at.client.end();
      await service.close();
      await drop();
    },
  };
  return at;
}
