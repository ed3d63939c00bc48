/** The audit log: who decided what, hash-chained. */
import { createRoute, z } from '@hono/zod-openapi';
import { json, pageQuery, problems, type RouteFile } from '../router.ts';

const auditEntrySchema = z
  .object({
    id: z.union([z.string(), z.number()]),
    at: z.string(),
    actor: z.string(),
    action: z.string(),
    target_id: z.string().nullable(),
    hash: z.string(),
  })
  .loose()
  .meta({ id: 'AuditEntry' });

export const auditRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/audit',
      summary: 'The audit log, newest first',
      request: { query: pageQuery.extend({ target_id: z.string().max(64).optional() }) },
      responses: { 200: json('Entries.', z.object({ items: z.array(auditEntrySchema) })), ...problems },
    }),
    async (context) =>
      context.json({ items: await services.store.audit.list(context.req.valid('query')) }, 200),
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: '/v1/audit/verify',
      summary: 'Recompute the hash chain',
      responses: {
        200: json(
          'The result.',
          z.object({ ok: z.boolean(), first_bad_id: z.union([z.string(), z.number()]).nullable() }).loose(),
        ),
        ...problems,
      },
    }),
    async (context) => context.json(await services.store.audit.verify(), 200),
  );
};
