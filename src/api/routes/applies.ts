/** Applies: what was run on a target, step by step, and what it gained. */
import { createRoute, z } from '@hono/zod-openapi';
import { applyStates } from '../../domain/index.ts';
import { verifyApplied } from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';

const looseObject = z.record(z.string(), z.unknown());

export const applySchema = z
  .object({
    id: z.string(),
    target_id: z.string(),
    recommendation_id: z.string(),
    state: z.enum(applyStates),
    plan: z
      .object({ plan_hash: z.string(), statements: z.array(z.string()), rollback: z.array(z.string()) })
      .loose(),
    actor: z.string(),
    created_at: z.string(),
    finished_at: z.string().nullable(),
    cancel_requested_at: z.string().nullable(),
    cancel_requested_by: z.string().nullable(),
    progress: looseObject.nullable().meta({
      description:
        'While it runs: phase; of that done, total, unit (blocks, tuples, sessions) and fraction, where the server counts; eta_seconds until the phase ends, null where it cannot be told yet; blockers, whom it waits for; waiters, who wait for it.',
    }),
    outcome: looseObject.nullable(),
    verdict: looseObject.nullable(),
  })
  .loose()
  .meta({ id: 'Apply' });

const journalEntrySchema = z
  .object({
    step: z.number().int(),
    purpose: z.string(),
    sql: z.string(),
    state: z.string(),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    sqlstate: z.string().nullable(),
    message: z.string().nullable(),
  })
  .loose()
  .meta({ id: 'JournalEntry' });

const cancelSchema = z
  .object({
    stop_rebuild: z.boolean().default(false).meta({
      description: 'Also stop the rebuild of an index that the drop which was cut off left invalid.',
    }),
  })
  .strict();

export const applyParams = targetParams.extend({ apply_id: z.string().min(1).max(64) });

export const applyRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/applies',
      summary: 'Applies of a target, newest first',
      request: { params: targetParams },
      responses: { 200: json('Applies.', z.object({ items: z.array(applySchema) })), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      await services.store.targets.get(target_id);
      return context.json({ items: await services.store.applies.list(target_id, {}) }, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/applies/{apply_id}',
      summary: 'One apply with its journal: poll it until its state is neither queued nor running',
      request: { params: applyParams },
      responses: {
        200: json('The apply.', applySchema.extend({ journal: z.array(journalEntrySchema) })),
        ...problems,
      },
    }),
    async (context) => {
      const { target_id, apply_id } = context.req.valid('param');
      const apply = await services.store.applies.get(target_id, apply_id);
      const journal = await services.store.applies.journal(target_id, apply_id).entries();
      return context.json({ ...apply, journal }, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/applies/{apply_id}/cancel',
      summary:
        'Stop it: the running statement is cancelled and what it left is cleaned up; poll for its end. Sent again it is the same wish',
      request: { params: applyParams, body: { ...jsonBody(cancelSchema), required: false } },
      responses: { 202: json('Asked to stop.', applySchema), ...problems },
    }),
    async (context) => {
      const { target_id, apply_id } = context.req.valid('param');
      return context.json(
        await services.store.applies.requestCancel(
          target_id,
          apply_id,
          context.get('actor'),
          context.req.valid('json'),
        ),
        202,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/applies/{apply_id}/verify',
      summary: 'Judge it now by what was measured until the newest snapshot',
      request: { params: applyParams },
      responses: { 200: json('With its verdict.', applySchema), ...problems },
    }),
    async (context) => {
      const { target_id, apply_id } = context.req.valid('param');
      return context.json(await verifyApplied(services, target_id, apply_id), 200);
    },
  );
};
