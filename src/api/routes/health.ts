/** Probes: alive, and ready (the store answers). */
import { createRoute, z } from '@hono/zod-openapi';
import { json, problems, type RouteFile } from '../router.ts';

const ok = z.object({ status: z.literal('ok') });

export const healthRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/livez',
      summary: 'The process answers',
      security: [],
      responses: { 200: json('Alive.', ok) },
    }),
    (context) => context.json({ status: 'ok' as const }, 200),
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      summary: 'The store answers too',
      security: [],
      responses: { 200: json('Ready.', ok), ...problems },
    }),
    async (context) => {
      await services.store.ping();
      return context.json({ status: 'ok' as const }, 200);
    },
  );
};
