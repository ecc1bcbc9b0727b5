/** The message that tells a client to forget keys, in both protocols. */
import { ReplyWriter } from '../codec/encoder.ts';
import type { Invalidated } from './client-tracking.ts';

/** Clients that speak RESP2 subscribe to it, and others redirect to them. */
const INVALIDATE_CHANNEL = '__redis__:invalidate';

export class InvalidationWriter {
  readonly #writer = new ReplyWriter(2);

  render(protocol: 2 | 3, keys: Invalidated): Uint8Array {
    const writer = this.#writer;
    writer.protocol = protocol;
    if (protocol === 3) {
      writer.push(2);
      writer.bulk('invalidate');
    } else {
      writer.array(3);
      writer.bulk('message');
      writer.bulk(INVALIDATE_CHANNEL);
    }
    if (keys === undefined) writer.nil();
    else writer.array(keys.length);
    for (const key of keys ?? []) writer.bulk(key);
    return writer.take();
  }

  /** The client that was to hear instead is gone. */
  renderBroken(redirect: number): Uint8Array {
    this.#writer.protocol = 3;
    this.#writer.push(2);
    this.#writer.bulk('tracking-redir-broken');
    this.#writer.integer(redirect);
    return this.#writer.take();
  }
}
