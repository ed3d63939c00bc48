/** pg_class.reloptions (`name=value` texts) as an object. */
import { z } from 'zod';

export const reloptions = z.array(z.string()).transform((items) =>
  Object.fromEntries(
    items.map((item): [string, string] => {
      const at = item.indexOf('=');
      return at === -1 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)];
    }),
  ),
);
