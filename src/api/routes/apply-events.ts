/** An apply as a stream of events: its state, progress and journal, whenever one of them changes. */
import { createHash } from 'node:crypto';
import { createRoute } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import { problems, type RouteFile } from '../router.ts';
import { applyParams } from './applies.ts';

/** How often the store is asked; any replica may run the apply. */
const POLL_MS = 1_000;
/** A line that keeps proxies from taking a long wait for a dead connection. */
const KEEP_ALIVE_POLLS = 15;

export const applyEventRoutes: RouteFile = (router, services) => {
  router.openapi(
    createRoute({
      method: 'get',
      path: '/v1/targets/{target_id}/applies/{apply_id}/events',
      summary:
        'Server-sent events `apply`, each with the apply and its journal; the stream ends when the apply has. With Last-Event-ID what was seen is not sent again',
      request: { params: applyParams },
      responses: {
        200: { description: 'Events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        ...problems,
      },
    }),
    async (context) => {
      const { target_id, apply_id } = context.req.valid('param');
      const { applies } = services.store;
      // A 404 before the stream begins, not within it.
      await applies.get(target_id, apply_id);
      const seen = context.req.header('last-event-id');
      context.header('cache-control', 'no-store');
      // nginx would otherwise keep events back until its buffer is full.
      context.header('x-accel-buffering', 'no');
      return streamSSE(context, async (stream) => {
        let last = seen;
        for (let quiet = 0; !stream.aborted && !services.background.signal.aborted; quiet += 1) {
          const apply = await applies.get(target_id, apply_id);
          const journal = await applies.journal(target_id, apply_id).entries();
          const data = JSON.stringify({ ...apply, journal });
          // The id is of the content: whichever replica a client comes back to, it knows what was seen.
          const id = createHash('sha256').update(data).digest('hex').slice(0, 16);
          if (id !== last) {
            await stream.writeSSE({ event: 'apply', id, data });
            last = id;
            quiet = 0;
          } else if (quiet % KEEP_ALIVE_POLLS === KEEP_ALIVE_POLLS - 1) {
            await stream.write(': still there\n\n');
          }
          if (apply.state !== 'queued' && apply.state !== 'running') break;
          await stream.sleep(POLL_MS);
        }
      });
    },
  );
};
