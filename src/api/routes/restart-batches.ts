/** Approved settings that wait for a restart: listed as one batch, and written together. */
import { createRoute, z } from '@hono/zod-openapi';
import { restartBatchStates } from '../../domain/index.ts';
import { batchOnce, restartBatch } from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';
import { applySchema } from './applies.ts';

const memorySchema = z
  .object({
    worst_case_before: z.number(),
    worst_case_after: z.number(),
    budget: z.number(),
    fits: z.boolean(),
    inputs: z.string(),
  })
  .meta({ id: 'SetMemory' });

const batchSchema = z
  .object({
    id: z.string(),
    target_id: z.string(),
    batch_hash: z.string(),
    actor: z.string(),
    created_at: z.string(),
    state: z.enum(restartBatchStates),
    finished_at: z.string().nullable(),
    memory: memorySchema.nullable(),
  })
  .meta({ id: 'RestartBatch' });

const waitingSchema = z
  .object({
    target_id: z.string(),
    batch_hash: z.string().nullable(),
    members: z.array(
      z.object({
        recommendation_id: z.string(),
        state: z.string(),
        title: z.string(),
        name: z.string(),
        value: z.string(),
        current_value: z.string(),
        plan_hash: z.string(),
      }),
    ),
    memory: memorySchema.nullable(),
    pending_restart: z.array(z.object({ name: z.string(), value: z.string() })),
    server_started_at: z.string().nullable(),
    batches: z.array(batchSchema),
    limits: z.array(z.record(z.string(), z.unknown())),
  })
  .meta({ id: 'WaitingForRestart' });

export const restartBatchRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/restart-batch',
      summary:
        'Approved settings that need a restart, what they may take of memory together, and earlier batches',
      request: { params: targetParams },
      responses: { 200: json('The batch as it would be written now.', waitingSchema), ...problems },
    }),
    async (context) => {
      const waiting = await restartBatch(services, context.req.valid('param').target_id);
      return context.json(waiting as unknown as z.infer<typeof waitingSchema>, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/restart-batch/apply',
      summary: 'Write all of them together, or none; somebody else restarts the server',
      request: {
        params: targetParams,
        body: jsonBody(z.object({ batch_hash: z.string().length(64) }).strict()),
      },
      responses: {
        202: json(
          'Begun: poll its applies.',
          z.object({ batch: batchSchema, applies: z.array(applySchema) }),
        ),
        ...problems,
      },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { batch_hash } = context.req.valid('json');
      return context.json(await batchOnce(services, target_id, batch_hash, context.get('actor')), 202);
    },
  );
};
