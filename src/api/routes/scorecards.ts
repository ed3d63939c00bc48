/** The scorecard of a target, its thresholds, and the baselines it is compared with. */
import { createRoute, z } from '@hono/zod-openapi';
import {
  scorecardBaselineSchema,
  scorecardComparisonSchema,
  scorecardMetricIds,
  scorecardMetrics,
  scorecardSchema,
  scorecardThresholdsSchema,
  thresholdsOf,
} from '../../domain/index.ts';
import {
  comparedScorecard,
  saveScorecardBaseline,
  scorecardBaselines,
  scorecardThresholds,
  targetScorecard,
} from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';

const baselineName = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,99}$/u)
  .meta({ description: 'Letters, digits, blanks, points, dashes; at most 100.' });
const scorecardBody = scorecardSchema.meta({ id: 'Scorecard' });
const boundsSchema = z.object({ target: z.number(), acceptable: z.number(), critical: z.number() });
const headerSchema = scorecardBaselineSchema
  .omit({ scorecard: true })
  .meta({ id: 'ScorecardBaselineHeader' });
const baselineSchema = scorecardBaselineSchema
  .extend({ scorecard: scorecardBody })
  .meta({ id: 'ScorecardBaseline' });

const windowQuery = z.object({
  from_snapshot_id: z.string().max(64).optional(),
  to_snapshot_id: z.string().max(64).optional(),
});

const thresholdsSchema = z
  .object({
    thresholds: z
      .partialRecord(z.enum(scorecardMetricIds), boundsSchema.nullable())
      .meta({ description: 'What is set for this target; null: that metric is not graded.' }),
    in_force: z.array(
      z.object({
        metric: z.enum(scorecardMetricIds),
        title: z.string(),
        unit: z.string(),
        better: z.enum(['lower', 'higher']),
        bounds: boundsSchema.nullable(),
        source: z.string(),
      }),
    ),
  })
  .meta({ id: 'ScorecardThresholds' });

/** With the defaults beside what is set. */
function inForce(thresholds: z.infer<typeof scorecardThresholdsSchema>): z.infer<typeof thresholdsSchema> {
  return {
    thresholds,
    in_force: scorecardMetricIds.map((metric) => {
      const { title, unit, better, source } = scorecardMetrics[metric];
      const own = thresholds[metric] !== undefined;
      return {
        metric,
        title,
        unit,
        better,
        bounds: thresholdsOf(metric, thresholds),
        source: own ? "this target's own" : source,
      };
    }),
  };
}

const base = '/v1/targets/{target_id}/scorecard';

export const scorecardRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: base,
      summary: 'Values, grades and checklist of a window, against a baseline where one is named',
      request: { params: targetParams, query: windowQuery.extend({ baseline: baselineName.optional() }) },
      responses: {
        200: json(
          'The scorecard.',
          z.object({
            scorecard: scorecardBody,
            comparison: scorecardComparisonSchema.meta({ id: 'ScorecardComparison' }).nullable(),
          }),
        ),
        ...problems,
      },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { baseline, ...ends } = context.req.valid('query');
      const answer =
        baseline === undefined
          ? { scorecard: await targetScorecard(services, target_id, ends), comparison: null }
          : await comparedScorecard(services, target_id, baseline, ends);
      return context.json(answer, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: `${base}/thresholds`,
      summary: 'What the values are graded by',
      request: { params: targetParams },
      responses: { 200: json('Thresholds.', thresholdsSchema), ...problems },
    }),
    async (context) =>
      context.json(inForce(await scorecardThresholds(services, context.req.valid('param').target_id)), 200),
  );
  router.openapi(
    createRoute({
      method: 'put',
      path: `${base}/thresholds`,
      summary: 'Set thresholds of this target, in place of all that were set; {} goes back to the defaults',
      request: { params: targetParams, body: jsonBody(scorecardThresholdsSchema) },
      responses: { 200: json('In force from now on.', thresholdsSchema), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const thresholds = context.req.valid('json');
      await services.store.scorecards.setThresholds(target_id, thresholds, context.get('actor'));
      return context.json(inForce(thresholds), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${base}/baselines`,
      summary: 'Keep the scorecard of a window under a name, to compare later ones with',
      request: {
        params: targetParams,
        body: jsonBody(
          windowQuery.extend({ name: baselineName, replace: z.boolean().default(false) }).strict(),
        ),
      },
      responses: { 201: json('Kept.', baselineSchema), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const options = { ...context.req.valid('json'), actor: context.get('actor') };
      const baseline = await saveScorecardBaseline(services, target_id, options);
      context.header(
        'location',
        `/v1/targets/${target_id}/scorecard/baselines/${encodeURIComponent(baseline.name)}`,
      );
      return context.json(baseline, 201);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: `${base}/baselines`,
      summary: 'Baselines, newest first',
      request: { params: targetParams },
      responses: { 200: json('Baselines.', z.object({ items: z.array(headerSchema) })), ...problems },
    }),
    async (context) =>
      context.json({ items: await scorecardBaselines(services, context.req.valid('param').target_id) }, 200),
  );
  const oneBaseline = targetParams.extend({ name: baselineName });
  router.openapi(
    createRoute({
      method: 'get',
      path: `${base}/baselines/{name}`,
      summary: 'One baseline with its scorecard',
      request: { params: oneBaseline },
      responses: { 200: json('The baseline.', baselineSchema), ...problems },
    }),
    async (context) => {
      const { target_id, name } = context.req.valid('param');
      return context.json(await services.store.scorecards.getBaseline(target_id, name), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'delete',
      path: `${base}/baselines/{name}`,
      summary: 'Forget a baseline',
      request: { params: oneBaseline },
      responses: { 204: { description: 'Forgotten.' }, ...problems },
    }),
    async (context) => {
      const { target_id, name } = context.req.valid('param');
      await services.store.scorecards.removeBaseline(target_id, name, context.get('actor'));
      return context.body(null, 204);
    },
  );
};
