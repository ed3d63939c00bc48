/** Sealing of DSNs: AES-256-GCM with a random nonce, bound to its target, labelled with its key. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { PgLuthierError } from '../domain/index.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealed {
  /** Nonce, ciphertext and tag in one. */
  box: Buffer;
  key_id: string;
}

/** Names a key without telling it. */
function keyId(key: Buffer): string {
  return createHash('sha256').update('pgluthier key id').update(key).digest('hex').slice(0, 16);
}

/** @throws PgLuthierError `secret_key_invalid` for a key that is not 32 bytes long. */
export function checkKey(key: Buffer): void {
  if (key.length === KEY_BYTES) return;
  throw new PgLuthierError({
    code: 'secret_key_invalid',
    status: 500,
    message: `The secret key has ${key.length} bytes; it must have ${KEY_BYTES}.`,
    remedy: 'Give one of 32 random bytes, such as `openssl rand -hex 32` prints.',
  });
}

/** @param context the target's id: the box opens under no other. */
export function seal(key: Buffer, plaintext: string, context: string): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const box = Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { box, key_id: keyId(key) };
}

/**
 * @throws PgLuthierError `secret_key_mismatch` when it was sealed with another key, `sealed_dsn_damaged` when it was
 * changed since, or belongs to another target.
 */
export function unseal(key: Buffer, sealed: Sealed, context: string): string {
  if (sealed.key_id !== keyId(key)) {
    throw new PgLuthierError({
      code: 'secret_key_mismatch',
      status: 500,
      message: `A DSN was sealed with the key ${sealed.key_id}; the key here is ${keyId(key)}.`,
      remedy:
        'Restore the secret key it was sealed with (PGLUTHIER_SECRET_KEY or secret.key), or add the target anew.',
    });
  }
  try {
    const { box } = sealed;
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(context))
      .setAuthTag(box.subarray(box.length - TAG_BYTES));
    const text = decipher.update(box.subarray(NONCE_BYTES, box.length - TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new PgLuthierError({
      code: 'sealed_dsn_damaged',
      status: 500,
      message: 'A sealed DSN was changed in the store, or belongs to another target.',
      remedy: 'Find out who writes to the store; remove the target and add it anew.',
      cause,
    });
  }
}
