/** The workload of a window: the statements that took the time. */
import { createRoute, z } from '@hono/zod-openapi';
import { loadTargetWindow } from '../../pipeline/index.ts';
import { json, problems, type RouteFile, targetParams } from '../router.ts';

const statementSchema = z
  .object({
    query_id: z.string(),
    query: z.string(),
    class: z.string(),
    calls: z.number(),
    total_exec_time_ms: z.number(),
    mean_exec_time_ms: z.number(),
    stddev_exec_time_ms: z.number(),
    rows: z.number(),
    share_of_time: z.number(),
    users: z.array(z.string()),
  })
  .meta({ id: 'Statement' });

export const statementRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/statements',
      summary: 'Statements of a window, by their share of database time',
      request: {
        params: targetParams,
        query: z.object({
          from_snapshot_id: z.string().max(64).optional(),
          to_snapshot_id: z.string().max(64).optional(),
          limit: z.coerce.number().int().min(1).max(5000).default(100),
        }),
      },
      responses: {
        200: json(
          'Statements.',
          z.object({
            from: z.string().nullable(),
            to: z.string().nullable(),
            database_time_ms: z.number(),
            items: z.array(statementSchema),
            set_aside: z.array(
              z.object({
                query: z.string(),
                calls: z.number(),
                total_exec_time_ms: z.number(),
                code: z.string(),
              }),
            ),
          }),
        ),
        ...problems,
      },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { limit, ...ends } = context.req.valid('query');
      await services.store.targets.get(target_id);
      const { workload } = await loadTargetWindow(services, target_id, ends);
      const byTime = workload.queries.toSorted((a, b) => b.total_exec_time_ms - a.total_exec_time_ms);
      return context.json(
        {
          from: workload.from,
          to: workload.to,
          database_time_ms: workload.database_time_ms,
          items: byTime.slice(0, limit),
          set_aside: workload.set_aside.slice(0, limit),
        },
        200,
      );
    },
  );
};
