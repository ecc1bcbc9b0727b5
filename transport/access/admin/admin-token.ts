/**
 * The token of the admin port: what a program shows that may read the node's token file. The prefix
 * lets a client see that a file is one of those before it sends what is in there.
 */
import { generatedPassword, hashOf, isSameHash } from '../passwords.ts';

const PREFIX = 'holo-admin-';
const FORMAT = /^holo-admin-[0-9a-f]{64}$/;
const TOKEN_BITS = 256;
/** Old and new. */
const TOKENS_MAX = 2;

/** The text of a token file is wrong; never quotes it. */
export class TokenError extends Error {
  readonly code = 'HOLO_TOKEN';
}

/** One line, without a line break. */
export function newToken(): string {
  return PREFIX + generatedPassword(TOKEN_BITS);
}

/**
 * The tokens of a file: a line each, blank lines and lines with `#` aside. All are valid.
 *
 * @throws TokenError
 */
export function parseTokens(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) throw new TokenError('holds no token');
  if (tokens.length > TOKENS_MAX) {
    throw new TokenError(`holds ${tokens.length} tokens: at most ${TOKENS_MAX} are valid at once`);
  }
  if (!tokens.every((token) => FORMAT.test(token))) {
    throw new TokenError('holds a line that is no token of the admin port');
  }
  return tokens;
}

/** Takes the same time for all tokens. */
export function isOneOf(tokens: readonly string[], token: string): boolean {
  const hash = hashOf(token);
  let isThere = false;
  for (const known of tokens) {
    if (isSameHash(hashOf(known), hash)) isThere = true;
  }
  return isThere;
}
