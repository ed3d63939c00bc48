/** Recommendations: list, read with evidence, and a person's decisions. */
import { createRoute, z } from '@hono/zod-openapi';
import { recommendationSchema, recommendationStateSchema, severitySchema } from '../../domain/index.ts';
import {
  approveOnce,
  decideOnce,
  dismissRecommendation,
  reopenRecommendation,
  revokeApproval,
  snoozeRecommendation,
} from '../../pipeline/index.ts';
import { json, jsonBody, problems, type RouteFile, targetParams } from '../router.ts';

const recommendation = recommendationSchema.meta({ id: 'Recommendation' });
const params = targetParams.extend({ recommendation_id: z.string().min(1).max(64) });
const path = '/v1/targets/{target_id}/recommendations/{recommendation_id}' as const;

export const recommendationRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/recommendations',
      summary: 'Recommendations, filtered; follow next_cursor for more',
      request: {
        params: targetParams,
        query: z.object({
          state: recommendationStateSchema.optional(),
          kind: z.string().max(64).optional(),
          rule: z.string().max(128).optional(),
          severity: severitySchema.optional(),
          limit: z.coerce.number().int().min(1).max(500).default(100),
          cursor: z.string().max(256).optional(),
        }),
      },
      responses: {
        200: json(
          'Recommendations.',
          z.object({ items: z.array(recommendation), next_cursor: z.string().nullable() }),
        ),
        ...problems,
      },
    }),
    async (context) => {
      const { target_id } = context.req.valid('param');
      await services.store.targets.get(target_id);
      return context.json(
        await services.store.recommendations.list(target_id, context.req.valid('query')),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'get',
      path,
      summary: 'One recommendation with its evidence',
      request: { params },
      responses: { 200: json('The recommendation.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      return context.json(await services.store.recommendations.get(target_id, recommendation_id), 200);
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/approve`,
      summary: 'Approve exactly the plan with this hash',
      request: {
        params,
        body: jsonBody(z.object({ plan_hash: z.string().regex(/^[0-9a-f]{64}$/) }).strict()),
      },
      responses: { 200: json('Approved.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const { plan_hash } = context.req.valid('json');
      return context.json(
        await approveOnce(services, target_id, recommendation_id, plan_hash, context.get('actor')),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/dismiss`,
      summary: 'Set it aside, with a reason',
      request: { params, body: jsonBody(z.object({ reason: z.string().trim().min(1).max(2000) }).strict()) },
      responses: { 200: json('Dismissed.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const { reason } = context.req.valid('json');
      return context.json(
        await decideOnce(
          services,
          { targetId: target_id, id: recommendation_id, event: 'dismiss', actor: context.get('actor') },
          () => dismissRecommendation(services, target_id, recommendation_id, reason, context.get('actor')),
        ),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/snooze`,
      summary: 'Set it aside until a time; then it is open again',
      request: { params, body: jsonBody(z.object({ until: z.iso.datetime({ offset: true }) }).strict()) },
      responses: { 200: json('Snoozed.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      const until = new Date(context.req.valid('json').until);
      return context.json(
        await snoozeRecommendation(services, target_id, recommendation_id, until, context.get('actor')),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/reopen`,
      summary: 'Put a dismissed, superseded, expired or failed one back on the table',
      request: { params },
      responses: { 200: json('Open again.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      return context.json(
        await decideOnce(
          services,
          { targetId: target_id, id: recommendation_id, event: 'reopen', actor: context.get('actor') },
          () => reopenRecommendation(services, target_id, recommendation_id, context.get('actor')),
        ),
        200,
      );
    },
  );
  router.openapi(
    createRoute({
      method: 'post',
      path: `${path}/revoke-approval`,
      summary: 'Take an approval back before its apply starts',
      request: { params },
      responses: { 200: json('Open again.', recommendation), ...problems },
    }),
    async (context) => {
      const { target_id, recommendation_id } = context.req.valid('param');
      return context.json(
        await decideOnce(
          services,
          {
            targetId: target_id,
            id: recommendation_id,
            event: 'revoke_approval',
            actor: context.get('actor'),
          },
          () => revokeApproval(services, target_id, recommendation_id, context.get('actor')),
        ),
        200,
      );
    },
  );
};
