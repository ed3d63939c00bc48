/**
 * Room rule. oltp/ is a shop's database as applications leave it: skewed states, soft deletes, documents, a growing
 * log, foreign keys without indexes; and the statements that its application sends. It knows nothing of advice.
 */
export { drive, type Slice, type Template } from './drive.ts';
export { fillShop } from './schema.ts';
export { CONNECTIONS, startShopServer } from './server.ts';
export { shopTemplates, shopWrites } from './statements.ts';
