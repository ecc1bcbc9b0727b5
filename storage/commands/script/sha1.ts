/** The hash by which scripts, and the machine that runs them, are named. */
import { createHash } from 'node:crypto';

/** Of a byte string (latin1), in hexadecimal digits. */
export function sha1Of(text: string): string {
  return createHash('sha1').update(text, 'latin1').digest('hex');
}
