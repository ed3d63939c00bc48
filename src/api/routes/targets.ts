/** Targets: add, list, read, remove, capabilities. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Target } from '../../domain/index.ts';
import { addTarget, targetCapabilities } from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';

const hostSchema = z
  .object({
    ram_bytes: z.number().int().positive().optional(),
    cpu_count: z.number().int().positive().optional(),
    disk_type: z.enum(['hdd', 'ssd', 'nvme', 'san']).optional(),
  })
  .strict();

const targetSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    dsn_source: z.string(),
    address: z.string(),
    created_at: z.string(),
    host_overrides: hostSchema,
    database_name: z.string().nullable(),
    origin: z.enum(['api', 'file']),
    labels: z.record(z.string(), z.string()),
    paused_at: z.string().nullable(),
    paused_because: z.string().nullable(),
  })
  .meta({ id: 'Target' });

const scheduleSchema = z
  .object({
    target_id: z.string(),
    next_due_at: z.string(),
    lease_owner: z.string().nullable().meta({ description: 'The replica that collects it right now.' }),
    consecutive_failures: z.number().int(),
    last_error_code: z.string().nullable(),
    last_success_at: z.string().nullable(),
  })
  .meta({ id: 'TargetSchedule' });

const limitSchema = z.object({
  scope: z.string(),
  code: z.string(),
  message: z.string(),
  remedy: z.string().nullable(),
});

const capabilitiesSchema = z
  .object({
    server_version_num: z.number().int(),
    major: z.number().int(),
    in_recovery: z.boolean(),
    is_superuser: z.boolean(),
    is_monitor: z.boolean(),
    reads_all_data: z.boolean(),
    pg_stat_statements: z.string().nullable(),
    pg_stat_statements_schema: z.string().nullable(),
    pg_stat_statements_loaded: z.boolean(),
    sees_all_statements: z.boolean(),
    extensions: z.record(z.string(), z.string()),
    hypopg: z.string().nullable(),
    managed_service: z.string().nullable(),
    limits: z.array(limitSchema),
  })
  .meta({ id: 'Capabilities' });

const newTargetSchema = z
  .object({
    name: z.string().min(1).max(200),
    dsn: z
      .string()
      .min(1)
      .max(4096)
      .meta({ description: 'A DSN, or a reference: env:NAME or file:/path. It is never returned.' }),
    host: hostSchema.default({}).meta({ description: 'What the operator knows of the hardware.' }),
  })
  .strict()
  .meta({ id: 'NewTarget' });

/** Only what an API client may see, whatever the store's row holds besides. */
function publicTarget(target: Target): z.infer<typeof targetSchema> {
  const { id, name, dsn_source, address, created_at, host_overrides } = target;
  const { database_name, origin, labels, paused_at, paused_because } = target;
  const more = { database_name, origin, labels, paused_at, paused_because };
  return { id, name, dsn_source, address, created_at, host_overrides, ...more };
}

export const targetRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets',
      summary: 'Add a database to watch; it is connected to first',
      request: { body: jsonBody(newTargetSchema) },
      responses: {
        201: json('Added.', targetSchema.extend({ capabilities: capabilitiesSchema })),
        ...problems,
      },
    }),
    async (context) => {
      const { name, dsn, host } = context.req.valid('json');
      const { target, capabilities } = await addTarget(
        services,
        { name, dsn, host_overrides: host },
        context.get('actor'),
      );
      context.header('location', `/v1/targets/${target.id}`);
      return context.json({ ...publicTarget(target), capabilities }, 201);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets',
      summary: 'All targets',
      responses: { 200: json('Targets.', z.object({ items: z.array(targetSchema) })), ...problems },
    }),
    async (context) => context.json({ items: (await services.store.targets.list()).map(publicTarget) }, 200),
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}',
      summary: 'One target',
      request: { params: targetParams },
      responses: { 200: json('The target.', targetSchema), ...problems },
    }),
    async (context) =>
      context.json(publicTarget(await services.store.targets.get(context.req.valid('param').target_id)), 200),
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/pause',
      summary: 'Nothing connects to it on a schedule until it is resumed',
      request: {
        params: targetParams,
        body: jsonBody(z.object({ reason: z.string().min(1).max(500) }).strict()),
      },
      responses: { 200: json('Paused.', targetSchema), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { reason } = context.req.valid('json');
      return context.json(
        publicTarget(await services.store.targets.pause(target_id, reason, context.get('actor'))),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/targets/{target_id}/resume',
      summary: 'Collect it on its schedule again',
      request: { params: targetParams },
      responses: { 200: json('Resumed.', targetSchema), ...problems },
    }),
    async (context) =>
      context.json(
        publicTarget(
          await services.store.targets.resume(context.req.valid('param').target_id, context.get('actor')),
        ),
        200,
      ),
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/target-schedules',
      summary: 'When each target is collected next, and which do not answer',
      responses: { 200: json('Schedules.', z.object({ items: z.array(scheduleSchema) })), ...problems },
    }),
    async (context) => context.json({ items: await services.store.targetSchedule.list() }, 200),
  );
  router.openapi(
    createRoute({
      method: 'delete',
      path: '/v1/targets/{target_id}',
      summary: 'Stop watching a target and forget what was collected of it',
      request: { params: targetParams },
      responses: { 204: { description: 'Removed.' }, ...problems },
    }),
    async (context) => {
      await services.store.targets.remove(context.req.valid('param').target_id, context.get('actor'));
      return context.body(null, 204);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/capabilities',
      summary: 'What our role may see and do there, asked now',
      request: { params: targetParams },
      responses: { 200: json('Capabilities.', capabilitiesSchema), ...problems },
    }),
    async (context) =>
      context.json(await targetCapabilities(services, context.req.valid('param').target_id), 200),
  );
};
