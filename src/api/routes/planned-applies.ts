/** From approved to begun: the dry run, the migration for people, the schedule, the start. */
import { createRoute, z } from '@hono/zod-openapi';
import { recommendationSchema } from '../../domain/index.ts';
import {
  applyOnce,
  decideOnce,
  exportMigration,
  planApply,
  scheduleRecommendation,
  unscheduleRecommendation,
} from '../../pipeline/index.ts';
import { migrationFormats } from '../../report/index.ts';
import { json, problems, type RouteFile, targetParams } from '../router.ts';
import { applySchema } from './applies.ts';

const params = targetParams.extend({ recommendation_id: z.string().min(1).max(64) });
const path = '/v1/targets/{target_id}/recommendations/{recommendation_id}' as const;
const looseObject = z.record(z.string(), z.unknown());

const plannedSchema = z
  .object({
    target_id: z.string(),
    recommendation_id: z.string(),
    state: z.string(),
    plan_hash: z.string(),
    steps: z.array(
      z.object({
        sql: z.string(),
        transactional: z.boolean(),
        lock: z.string(),
        blocks: z.string(),
        lock_timeout_ms: z.number(),
        retried: z.boolean(),
      }),
    ),
    rollback: z.array(z.string()),
    expected_seconds: z.number().nullable(),
    disk_bytes: z.number().nullable(),
    needs_restart: z.boolean(),
    preconditions: looseObject,
    approved_preconditions: looseObject.nullable(),
    drift: z.array(z.object({ code: z.string(), message: z.string() })),
    blockers: z.array(looseObject),
    refusals: z.array(z.object({ code: z.string(), message: z.string(), until: z.string().nullable() })),
    would_start: z.boolean(),
  })
  .meta({ id: 'PlannedApply' });

const migrationSchema = z
  .object({
    files: z.array(z.object({ path: z.string(), content: z.string() })),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Migration' });

export const plannedApplyRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: `${path}/plan`,
      summary: 'Dry run: exactly what an apply would send now, and what would keep it from beginning',
      request: { params },
      responses: { 200: json('The plan, checked against the target.', plannedSchema), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const planned = await planApply(services, target_id, recommendation_id, context.get('actor'));
      return context.json(planned as unknown as z.infer<typeof plannedSchema>, 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: `${path}/migration`,
      summary: "Up and down as files of somebody's own migration tool",
      request: { params, query: z.object({ format: z.enum(migrationFormats).default('plain') }) },
      responses: { 200: json('Files and what to know of them.', migrationSchema), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const { format } = context.req.valid('query');
      return context.json(await exportMigration(services, target_id, recommendation_id, format), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/schedule`,
      summary: 'Apply an approved one when the next maintenance window opens',
      request: { params },
      responses: { 200: json('Scheduled.', recommendationSchema), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      return context.json(
        await decideOnce(
          services,
          { targetId: target_id, id: recommendation_id, event: 'schedule', actor: context.get('actor') },
          () => scheduleRecommendation(services, target_id, recommendation_id, context.get('actor')),
        ),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/unschedule`,
      summary: 'Take it off the schedule; its approval stays',
      request: { params },
      responses: { 200: json('Approved, and no longer scheduled.', recommendationSchema), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      return context.json(
        await decideOnce(
          services,
          { targetId: target_id, id: recommendation_id, event: 'unschedule', actor: context.get('actor') },
          () => unscheduleRecommendation(services, target_id, recommendation_id, context.get('actor')),
        ),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/apply`,
      summary: 'Apply an approved one; answers with a resource to poll',
      request: { params },
      responses: { 202: json('Started.', applySchema), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const apply = await applyOnce(services, target_id, recommendation_id, context.get('actor'));
      context.header('location', `/v1/targets/${target_id}/applies/${apply.id}`);
      return context.json(apply, 202);
    },
  );
};
