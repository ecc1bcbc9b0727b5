/** Whether a port can be opened, before anything is served there. */
import { createServer } from 'node:net';
import type { Endpoint } from '../../transport/endpoint.ts';
import { listenError } from '../../transport/listen-error.ts';

/** Opens it for a moment. @throws ListenError when the node could not listen there. */
export function probePort(purpose: string, place: Endpoint, flag: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => reject(listenError(error, purpose, place, flag)));
    server.listen({ ...place }, () => server.close(() => resolve()));
  });
}
