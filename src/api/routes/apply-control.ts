/** The policy of applying on a target, and the emergency stop. */
import { createRoute, z } from '@hono/zod-openapi';
import { applyPolicySchema } from '../../domain/index.ts';
import { liftStop, setApplyPolicy, stopApplying } from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';

const policySchema = applyPolicySchema.meta({ id: 'ApplyPolicy' });
const stopSchema = z
  .object({
    scope: z.string().meta({ description: "A target's id, or * for all." }),
    because: z.string(),
    stopped_at: z.string(),
    stopped_by: z.string(),
  })
  .meta({ id: 'ApplyStop' });
const because = jsonBody(z.object({ reason: z.string().trim().min(1).max(500) }).strict());
const oneTarget = '/v1/targets/{target_id}/apply-stop' as const;
const allTargets = '/v1/apply-stop' as const;

export const applyControlRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/apply-policy',
      summary: 'What may be applied here, by whom and when',
      request: { params: targetParams },
      responses: { 200: json('The policy; the default until one is set.', policySchema), ...problems },
    }),
    async (context) =>
      context.json(await services.store.applyPolicies.get(context.req.valid('param').target_id), 200),
  );
  router.openapi(
    createRoute({
      method: 'put',
      path: '/v1/targets/{target_id}/apply-policy',
      summary: 'Replace the policy; what is left out has its default',
      request: { params: targetParams, body: jsonBody(policySchema) },
      responses: { 200: json('The policy.', policySchema), ...problems },
    }),
    async (context) => {
      const by = { actor: context.get('actor'), admin: context.get('admin') };
      const { target_id } = context.req.valid('param');
      return context.json(await setApplyPolicy(services, target_id, context.req.valid('json'), by), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/apply-stops',
      summary: 'Emergency stops that hold now',
      responses: { 200: json('Stops.', z.object({ items: z.array(stopSchema) })), ...problems },
    }),
    async (context) => context.json({ items: await services.store.applyStops.list() }, 200),
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: allTargets,
      summary: 'Stop all applying: nothing begins, what runs is cancelled within seconds',
      request: { body: because },
      responses: { 200: json('Stopped.', stopSchema), ...problems },
    }),
    async (context) => {
      const { reason } = context.req.valid('json');
      return context.json(await stopApplying(services, null, reason, context.get('actor')), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'delete',
      path: allTargets,
      summary: 'Lift the stop of all',
      responses: { 204: { description: 'Lifted.' }, ...problems },
    }),
    async (context) => {
      await liftStop(services, null, context.get('actor'));
      return context.body(null, 204);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: oneTarget,
      summary: 'Stop applying on this target',
      request: { params: targetParams, body: because },
      responses: { 200: json('Stopped.', stopSchema), ...problems },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      const { reason } = context.req.valid('json');
      return context.json(await stopApplying(services, target_id, reason, context.get('actor')), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'delete',
      path: oneTarget,
      summary: "Lift the target's own stop",
      request: { params: targetParams },
      responses: { 204: { description: 'Lifted.' }, ...problems },
    }),
    async (context) => {
      await liftStop(services, context.req.valid('param').target_id, context.get('actor'));
      return context.body(null, 204);
    },
  );
};
