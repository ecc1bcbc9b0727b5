/** A question to a peer port from outside the cluster: one greeting, and what comes back. */
import type { Socket } from 'node:net';
import type { Endpoint } from '../../transport/endpoint.ts';
import { encodeGreeting, type Greeting } from '../../transport/peer/handshake.ts';
import { ANY_MEMBER, type PeerSecurity } from '../../transport/peer/security/peer-security.ts';

interface Question {
  readonly seed: Endpoint;
  readonly greeting: Greeting;
  readonly security: PeerSecurity;
  /** Without a byte for so long the other end is given up. */
  readonly silentMsMax: number;
}

const ANSWER_BYTES_MAX = 64 * 1024;

/** All bytes until the other end closes. @throws Error, whose cause is that of the socket */
export function askPeerPort(question: Question): Promise<Buffer> {
  const { seed, greeting, security, silentMsMax } = question;
  return new Promise((resolve, reject) => {
    const socket: Socket = security.dial(seed, ANY_MEMBER, () =>
      socket.write(encodeGreeting(greeting)),
    );
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.setTimeout(silentMsMax, () => socket.destroy(new Error('it does not answer')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) socket.destroy(new Error('its answer is too long'));
    });
    socket.on('error', (cause) => {
      reject(new Error(security.refusalOf(cause) ?? cause.message, { cause }));
    });
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}
