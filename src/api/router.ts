/** What every route file starts from: a router whose validation failures are problems, and the shared pieces of schemas. */
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Services } from '../pipeline/index.ts';
import { invalidRequest, problemSchema } from './problem.ts';

export type ApiEnvironment = { Variables: { requestId: string; actor: string; admin: boolean } };
export type Router = OpenAPIHono<ApiEnvironment>;

/** An empty router that answers a mismatch of schema with `request_invalid`. */
export function createRouter(): Router {
  return new OpenAPIHono<ApiEnvironment>({
    defaultHook: (result, context) => {
      if (!result.success) return invalidRequest(context, result.error);
    },
  });
}

/** One noun's routes. */
export type RouteFile = (router: Router, services: Services) => void;

export const targetParams = z.object({ target_id: z.string().min(1).max(64) });
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

/** A JSON response of a route. */
export function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } };
}

/** A JSON request body; required. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true as const, content: { 'application/json': { schema } } };
}

/** The refusals that a route documents. */
export const problems = {
  default: {
    description: 'A problem (RFC 9457) with a stable `code`.',
    content: { 'application/problem+json': { schema: problemSchema } },
  },
};
