/** Sockets of another kind than TCP: TLS with a key that both ends share. */
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type TlsOptions } from 'node:tls';
import type { SocketFactory } from '../../transport/socket-factory.ts';

const KEY = Buffer.from('0123456789abcdef');
const PSK = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
const SERVER: TlsOptions = { ...PSK, pskCallback: () => KEY };

export const TLS: SocketFactory = {
  dial: ({ host, port }, connected) => {
    const pskCallback = () => ({ psk: KEY, identity: 'node' });
    const options = { ...PSK, host, port, pskCallback, checkServerIdentity: () => undefined };
    return connect(options, connected);
  },
  server: (options, accepted) => createServer({ ...options, ...SERVER }, accepted),
  httpServer: (options, handle) => createHttpsServer({ ...options, ...SERVER }, handle),
};
