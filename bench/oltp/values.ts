/** Values for parameters: keys that are there, moments within the data's year. */
import { createHash } from 'node:crypto';
import { shopRows } from './schema.ts';

type Draw = () => number;
export const md5 = (text: string) => createHash('md5').update(text).digest('hex');
/** When the data begin. */
export const START = Date.parse('2025-10-01T00:00:00Z');
export const DAY = 86_400_000;

/** For a scale. */
export function valuesOf(scale: number) {
  const n = shopRows(scale);
  const upTo = (rows: number) => (draw: Draw) => 1 + Math.floor(rows * draw());
  const moment = (draw: Draw, from = 0, to = 360) => START + (from + draw() * (to - from)) * DAY;
  return {
    n,
    id: {
      customer: upTo(n.customers),
      product: upTo(n.products),
      order: upTo(n.orders),
      payment: upTo(n.payments),
      session: upTo(n.sessions),
      stock: upTo(n.stock),
      job: upTo(n.jobs),
    },
    tenant: (draw: Draw) => 1 + Math.floor(n.tenants * draw() ** 2.5),
    moment,
    between: (draw: Draw, hours: number) => {
      const at = moment(draw);
      return [new Date(at), new Date(at + hours * 3_600_000)];
    },
    /** What is not done yet is among the newest orders. */
    recent: (draw: Draw) => n.orders - Math.floor(draw() * n.orders * 0.004),
  };
}
