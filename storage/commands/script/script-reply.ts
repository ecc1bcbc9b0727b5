/** The result of a script, taken out of Lua before anything is answered. Pure. */
import type { ReplySink } from '../reply.ts';

export type ScriptReply =
  | { readonly type: 'bulk' | 'simple' | 'error' | 'verbatim'; readonly text: string }
  | { readonly type: 'integer'; readonly value: number | bigint }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'nil' }
  | { readonly type: 'array' | 'set' | 'map'; readonly items: readonly ScriptReply[] };

export function answer(reply: ScriptReply, out: ReplySink): void {
  switch (reply.type) {
    case 'bulk':
      return out.bulk(reply.text);
    case 'simple':
      return out.simple(reply.text);
    case 'error':
      return out.error(reply.text);
    case 'verbatim':
      return out.verbatim(reply.text);
    case 'integer':
      return out.integer(reply.value);
    case 'double':
      return out.double(reply.value);
    case 'boolean':
      return out.boolean(reply.value);
    case 'nil':
      return out.nil();
    case 'array':
      out.array(reply.items.length);
      break;
    case 'set':
      out.set(reply.items.length);
      break;
    case 'map':
      out.map(reply.items.length / 2);
      break;
  }
  for (const item of reply.items) answer(item, out);
}
