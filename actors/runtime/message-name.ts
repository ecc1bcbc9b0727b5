/** The name of a message in dead letters and traces. */

/** A short name for a message: its `type` tag when it has one. */
export function messageName(message: unknown): string {
  if (typeof message === 'string') return message.slice(0, 64);
  if (typeof message !== 'object' || message === null) return String(message).slice(0, 64);
  if ('type' in message && typeof message.type === 'string') return message.type;
  if ('kind' in message && typeof message.kind === 'string') return message.kind;
  const made: unknown = message.constructor;
  return typeof made === 'function' && made.name !== '' ? made.name : 'object';
}
