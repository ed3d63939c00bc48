/** Sealing of DSNs: AES-256-GCM with a random nonce, bound to its target, labelled with its key. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { PgLuthierError } from '../domain/index.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Names a key without telling it. */
export function keyId(key: Buffer): string {
  return createHash('sha256').update('pgluthier key id').update(key).digest('hex').slice(0, 16);
}

/** Nonce, ciphertext and tag in one. `context` (the target's id) must be the same when it is opened. */
export function seal(key: Buffer, plaintext: string, context: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** @throws PgLuthierError `secret_key_mismatch` for another key, another target or a changed text. */
export function unseal(key: Buffer, sealed: Buffer, context: string): string {
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const tag = sealed.subarray(sealed.length - TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(tag);
    const text = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new PgLuthierError({
      code: 'secret_key_mismatch',
      status: 500,
      message: 'A sealed DSN cannot be opened with this key.',
      remedy:
        'Restore the secret key it was sealed with (PGLUTHIER_SECRET_KEY or secret.key), or add the target anew.',
      cause,
    });
  }
}
