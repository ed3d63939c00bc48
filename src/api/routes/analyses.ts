/** Analyses: run one now, list them, read one with its report. */
import { createRoute, z } from '@hono/zod-openapi';
import { reportSchema, ruleAreas } from '../../domain/index.ts';
import { startAnalysis, whatIfEngines } from '../../pipeline/index.ts';
import { json, pageQuery, problems, type RouteFile, targetParams } from '../router.ts';

const analysisSchema = z
  .object({
    id: z.string(),
    target_id: z.string(),
    state: z.enum(['running', 'succeeded', 'failed']),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    actor: z.string(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    summary: reportSchema.shape.summary.nullable(),
  })
  .meta({ id: 'Analysis' });

const analysisWithReportSchema = analysisSchema
  .extend({ report: reportSchema.meta({ id: 'Report' }).nullable() })
  .meta({ id: 'AnalysisWithReport' });

const newAnalysisSchema = z
  .object({
    from_snapshot_id: z.string().max(64).optional(),
    to_snapshot_id: z.string().max(64).optional(),
    areas: z.array(z.enum(ruleAreas)).min(1).optional(),
    index_budget_bytes: z.number().int().positive().nullable().optional(),
    max_regression: z.number().min(0).max(10).optional().openapi({
      description:
        'Share by which a statement may get dearer because an existing index is replaced; default 0.1.',
    }),
    max_indexes_per_table: z.number().int().min(1).max(1000).optional().openapi({
      description: 'Indexes that a table may have at most, existing ones with them; default: any number.',
    }),
    time_limit_seconds: z.number().int().min(1).max(3600).optional().openapi({
      description: 'How long the rules may take; default 600. The best that was found by then is the result.',
    }),
    workload: z
      .array(
        z
          .object({
            name: z.string().min(1).max(200).optional(),
            sql: z.string().min(1).max(100_000),
            calls: z.number().positive().max(1e15).optional(),
          })
          .strict(),
      )
      .min(1)
      .max(5000)
      .optional()
      .openapi({
        description:
          'Statements in place of those that were seen: each entry one or more, each weighs `calls` (default 1) or what its comment `-- calls: n` says. They are parsed and planned on the twin, never run on the target. Only rules of the area `index` run unless `areas` says otherwise, and the report is all that is kept: what it recommends cannot be approved, because it comes from a client’s text.',
      }),
    what_if: z.enum(whatIfEngines).optional().openapi({
      description:
        'Who plans: `twin` (default), a server of our own; `hypopg`, the target itself with that extension; `both`: the twin searches, and what it chose is asked of HypoPG, too.',
    }),
  })
  .strict()
  .meta({ id: 'NewAnalysis' });

export const analysisRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/analyses',
      summary: 'Run the advisors now; answers at once with a resource to poll',
      request: { params: targetParams, body: { ...jsonBodyOptional(newAnalysisSchema) } },
      responses: { 202: json('Started.', analysisSchema), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { time_limit_seconds, ...options } = context.req.valid('json');
      const header = await startAnalysis(services, target_id, {
        ...options,
        ...(time_limit_seconds === undefined ? {} : { time_limit_ms: 1000 * time_limit_seconds }),
        actor: context.get('actor'),
      });
      context.header('location', `/v1/targets/${target_id}/analyses/${header.id}`);
      return context.json(header, 202);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/analyses',
      summary: 'Analyses, newest first',
      request: { params: targetParams, query: pageQuery },
      responses: { 200: json('Analyses.', z.object({ items: z.array(analysisSchema) })), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      await services.store.targets.get(target_id);
      const { limit } = context.req.valid('query');
      return context.json({ items: await services.store.analyses.list(target_id, { limit }) }, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/analyses/{analysis_id}',
      summary: 'One analysis with its report',
      request: { params: targetParams.extend({ analysis_id: z.string().max(64) }) },
      responses: { 200: json('The analysis.', analysisWithReportSchema), ...problems },
    }),
    async (context) => {
      const { target_id, analysis_id } = context.req.valid('param');
      return context.json(await services.store.analyses.get(target_id, analysis_id), 200);
    },
  );
};

/** Everything in the body has a default, so the body may be absent. */
function jsonBodyOptional<T extends z.ZodType>(schema: T) {
  return { required: false as const, content: { 'application/json': { schema } } };
}
