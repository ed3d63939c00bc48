/** What a client is told that sends a request again, at the same replica or at another one: nothing is done twice. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { type Advised, advised } from '../pipeline/advised.ts';
import type { TestService } from './service.ts';

let at: Advised;
let other: TestService;
beforeAll(async () => {
  at = await advised(
    18,
    'CREATE EXTENSION pg_stat_statements; CREATE TABLE items (id int, owner int); CREATE TABLE other ()',
  );
  other = await at.service.replica();
});
afterAll(async () => {
  await other.close();
  await at.close();
});
beforeEach(() => () => idle());

const idle = async () => {
  await at.service.services.background.idle();
  await other.services.background.idle();
};
const BERT = { authorization: 'Bearer bert' };
let n = 0;
/** An index that nothing else is like, proposed. */
async function proposed() {
  n += 1;
  const change: Change = {
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'items',
      name: `items_${n}`,
      method: 'btree',
      unique: false,
      keys: [
        { column: 'owner', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null },
      ],
      include: [],
      where: `id > ${n}`,
      options: {},
    },
  };
  const path = await at.propose(`advice ${n}`, change);
  return {
    path: encodeURI(path),
    id: `advice ${n}`,
    name: `items_${n}`,
    plan_hash: buildPlan(change).plan_hash,
  };
}
async function approved() {
  const one = await proposed();
  expect((await at.service.ask('POST', `${one.path}/approve`, { plan_hash: one.plan_hash })).status).toBe(
    200,
  );
  return one;
}
const audited = async (id: string, action: string) =>
  (await at.service.services.store.audit.list({ limit: 50, target_id: at.targetId })).filter(
    (entry) => entry.action === action && (entry.subject_id === id || entry.details.recommendation_id === id),
  );
const appliesOf = async (id: string) =>
  (await at.service.services.store.applies.list(at.targetId, {})).filter(
    (one) => one.recommendation_id === id,
  );

describe('approve', () => {
  it('again by the same: as it is, also when its apply has begun; by another: whose approval it is', async () => {
    const { path, id, plan_hash } = await approved();
    const again = await other.ask('POST', `${path}/approve`, { plan_hash });
    expect(again).toMatchObject({ status: 200, body: { state: 'approved', plan_hash } });
    const another = await at.service.ask('POST', `${path}/approve`, { plan_hash }, BERT);
    expect(another.body).toMatchObject({
      status: 409,
      code: 'invalid_state_transition',
      approved_by: expect.stringMatching(/^token:/),
    });
    const wrong = await at.service.ask('POST', `${path}/approve`, { plan_hash: 'f'.repeat(64) });
    expect(wrong.status).toBe(409);
    await at.service.ask('POST', `${path}/apply`);
    const late = await other.ask('POST', `${path}/approve`, { plan_hash });
    expect(late.status).toBe(200);
    expect(['applying', 'verifying']).toContain(late.body.state);
    expect(await audited(id, 'recommendation.approve')).toHaveLength(1);
  });

  it('by two replicas at once: one approval, the same answer', async () => {
    const { path, id, plan_hash } = await proposed();
    const ask = (service: TestService) => service.ask('POST', `${path}/approve`, { plan_hash });
    const answers = await Promise.all([ask(at.service), ask(other), ask(at.service), ask(other)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await audited(id, 'recommendation.approve')).toHaveLength(1);
    // And taken back once.
    const revoke = (service: TestService) => service.ask('POST', `${path}/revoke-approval`);
    const revoked = await Promise.all([revoke(at.service), revoke(other), revoke(other)]);
    expect(revoked.map(({ status, body }) => [status, body.state])).toEqual(Array(3).fill([200, 'open']));
    expect(await audited(id, 'recommendation.revoke_approval')).toHaveLength(1);
    expect((await at.service.ask('POST', `${path}/revoke-approval`, undefined, BERT)).status).toBe(409);
  });
});

describe('apply', () => {
  it('again by the same, at either replica: the same apply; by another: its id', async () => {
    const { path, id, name } = await approved();
    const first = await at.service.ask('POST', `${path}/apply`);
    expect(first.status).toBe(202);
    for (const service of [at.service, other]) {
      const again = await service.ask('POST', `${path}/apply`);
      expect(again).toMatchObject({ status: 202, body: { id: first.body.id } });
      expect(again.headers.get('location')).toBe(first.headers.get('location'));
    }
    const another = await other.ask('POST', `${path}/apply`, undefined, BERT);
    expect(another.body).toMatchObject({ status: 409, code: 'apply_in_progress', apply_id: first.body.id });
    await idle();
    // It is being verified by now.
    expect(await other.ask('POST', `${path}/apply`)).toMatchObject({
      status: 202,
      body: { id: first.body.id },
    });
    expect(await appliesOf(id)).toHaveLength(1);
    expect(await at.value(`SELECT count(*)::int FROM pg_class WHERE relname LIKE '${name}%'`)).toBe(1);
  });

  it('by two replicas at once, while the first still looks at the target: one apply, one build', async () => {
    const { path, id } = await approved();
    const ask = (service: TestService) => service.ask('POST', `${path}/apply`);
    const answers = await Promise.all([ask(at.service), ask(other), ask(at.service), ask(other)]);
    await idle();
    expect(
      answers.map(({ status }) => status),
      JSON.stringify(answers),
    ).toEqual([202, 202, 202, 202]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const [apply] = await appliesOf(id);
    const { store } = at.service.services;
    const sent = await store.applies.journal(at.targetId, String(apply?.id)).entries();
    expect(sent.filter(({ sql }) => sql.startsWith('CREATE INDEX'))).toHaveLength(1);
  });

  it('after it has failed: not begun again, and told by its id', async () => {
    const { path } = await approved();
    await at.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other');
    const first = await at.service.ask('POST', `${path}/apply`);
    await at.client.query('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other');
    const cancel = `${at.base}/applies/${first.body.id}/cancel`;
    expect((await at.service.ask('POST', cancel)).status).toBe(202);
    // The same wish, while it is heeded and after its end.
    expect((await other.ask('POST', cancel)).status).toBe(202);
    expect((await other.ask('POST', cancel, { stop_rebuild: 'yes' })).status).toBe(400);
    await idle();
    await at.client.query('ROLLBACK');
    const ended = await other.ask('POST', cancel);
    expect(ended).toMatchObject({ status: 202, body: { state: 'failed', outcome: { code: 'cancelled' } } });
    expect((await other.ask('POST', cancel, undefined, BERT)).status).toBe(409);
    const cancels = await at.service.services.store.audit.list({
      limit: 9,
      subject_id: String(first.body.id),
    });
    expect(cancels.filter(({ action }) => action === 'apply.cancel')).toHaveLength(1);
    const again = await other.ask('POST', `${path}/apply`);
    expect(again.body).toMatchObject({
      status: 409,
      code: 'invalid_state_transition',
      apply_id: first.body.id,
      apply_state: 'failed',
    });
  });
});

it('the way back of a change, asked for twice at two replicas, is gone once', async () => {
  const { path, name } = await approved();
  await at.service.ask('POST', `${path}/apply`);
  await idle();
  const definition = String(await at.value(`SELECT pg_get_indexdef('${name}'::regclass)`));
  const change: Change = { kind: 'index.drop', schema: 'public', table: 'items', name, definition };
  const back = await at.propose(`back of ${name}`, change);
  const { plan_hash } = buildPlan(change);
  const both = (order: string, body?: unknown) =>
    Promise.all(
      [at.service, other].map((service) => service.ask('POST', `${encodeURI(back)}/${order}`, body)),
    );
  expect((await both('approve', { plan_hash })).map(({ status }) => status)).toEqual([200, 200]);
  const begun = await both('apply');
  expect(
    begun.map(({ status }) => status),
    JSON.stringify(begun),
  ).toEqual([202, 202]);
  expect(begun[0]?.body.id).toBe(begun[1]?.body.id);
  await idle();
  expect(await appliesOf(`back of ${name}`)).toMatchObject([{ state: 'verifying' }]);
});

it('a batch of settings asked for again is the same batch', async () => {
  const before = String(
    await at.value("SELECT setting FROM pg_settings WHERE name = 'track_activity_query_size'"),
  );
  const path = await at.propose('batch', {
    kind: 'setting',
    name: 'track_activity_query_size',
    value: String(Number(before) + 1),
    current_value: before,
    context: 'postmaster',
  });
  const { body } = await at.service.ask('GET', path);
  await at.service.ask('POST', `${path}/approve`, { plan_hash: body.plan_hash });
  const { batch_hash } = (await at.service.ask('GET', `${at.base}/restart-batch`)).body;
  const ask = (service: TestService, headers?: Record<string, string>) =>
    service.ask('POST', `${at.base}/restart-batch/apply`, { batch_hash }, headers);
  try {
    const answers = await Promise.all([ask(at.service), ask(other)]);
    await idle();
    answers.push(await ask(other));
    expect(
      answers.map(({ status }) => status),
      JSON.stringify(answers),
    ).toEqual([202, 202, 202]);
    const ids = answers.map((answer) => (answer.body.batch as { id: string }).id);
    expect(new Set(ids).size).toBe(1);
    expect(await appliesOf('batch')).toHaveLength(1);
    expect((await ask(other, BERT)).body).toMatchObject({ status: 409, batch_id: ids[0] });
  } finally {
    await at.client.query('ALTER SYSTEM RESET track_activity_query_size');
  }
});
