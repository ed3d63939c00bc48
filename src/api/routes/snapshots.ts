/** Snapshots: take one now, list what there is. */
import { createRoute, z } from '@hono/zod-openapi';
import { collectTarget } from '../../pipeline/index.ts';
import { json, pageQuery, problems, type RouteFile, targetParams } from '../router.ts';

const snapshotSchema = z
  .object({
    id: z.string(),
    target_id: z.string(),
    collected_at: z.string().meta({ description: 'When it was collected, by our clock: pages go by it.' }),
    taken_at: z.string().meta({ description: "The same moment by the target's clock." }),
    status: z.enum(['complete', 'partial', 'failed']),
    duration_ms: z.number().nullable(),
    cadence: z.enum(['full', 'fast']),
    activity: z
      .object({
        taken_at: z.string(),
        total: z.number(),
        active: z.number(),
        idle: z.number(),
        idle_in_transaction: z.number(),
        active_here: z.number(),
        waiting_for_lock: z.number(),
        oldest_xmin_age: z.number().nullable(),
        roles: z
          .array(z.tuple([z.string(), z.number(), z.number()]))
          .optional()
          .meta({ description: 'Roles at work: name, sessions that are not idle, sessions connected.' }),
        roles_left_out: z
          .tuple([z.number(), z.number()])
          .optional()
          .meta({ description: 'The most of either of any role at work that is not among those listed.' }),
      })
      .nullable()
      .meta({ description: 'Client sessions at that moment; null: not seen.' }),
    counts: z.record(z.string(), z.number()).meta({ description: 'Rows of each noun.' }),
    limits: z.array(
      z.object({
        scope: z.string(),
        code: z.string(),
        message: z.string(),
        remedy: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Snapshot' });

export const snapshotRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/snapshots',
      summary: 'Take a snapshot now',
      request: { params: targetParams },
      responses: { 201: json('Taken.', snapshotSchema), ...problems },
    }),
    async (context) => context.json(await collectTarget(services, context.req.valid('param').target_id), 201),
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/snapshots',
      summary: 'Snapshots, newest first',
      request: {
        params: targetParams,
        query: pageQuery.extend({ before: z.iso.datetime({ offset: true }).optional() }),
      },
      responses: { 200: json('Snapshots.', z.object({ items: z.array(snapshotSchema) })), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { limit, before } = context.req.valid('query');
      await services.store.targets.get(target_id);
      return context.json(
        { items: await services.store.snapshots.list(target_id, { limit, ...(before ? { before } : {}) }) },
        200,
      );
    },
  );
};
