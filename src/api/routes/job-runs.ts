/** Job runs: what ran when, and how it ended. */
import { createRoute, z } from '@hono/zod-openapi';
import { json, pageQuery, problems, type RouteFile } from '../router.ts';

const jobRunSchema = z
  .object({
    id: z.string(),
    job: z.string(),
    fire_at: z.string(),
    instance: z.string(),
    state: z.string(),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
    error: z.string().nullable(),
  })
  .loose()
  .meta({ id: 'JobRun' });

export const jobRunRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/job-runs',
      summary: 'Job runs, newest first',
      request: { query: pageQuery.extend({ job: z.string().max(64).optional() }) },
      responses: { 200: json('Runs.', z.object({ items: z.array(jobRunSchema) })), ...problems },
    }),
    async (context) =>
      context.json({ items: await services.store.jobRuns.list(context.req.valid('query')) }, 200),
  );
};
