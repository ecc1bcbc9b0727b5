/**
 * Passwords are kept as SHA-256, as in Redis: made for generated secrets (ACL GENPASS), not for
 * words that people remember. Texts hold one byte per character.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 64 hexadecimal digits. */
export function hashOf(password: string): string {
  return createHash('sha256').update(password, 'latin1').digest('hex');
}

/** Takes the same time wherever two hashes differ. */
export function isSameHash(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

/** As ACL GENPASS: so many bits, in hexadecimal digits. */
export function generatedPassword(bits: number): string {
  const digits = Math.ceil(bits / 4);
  return randomBytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits);
}
