/** Serves one film on the loopback: its page, the libraries of it, and the film. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Film } from './film.ts';
import { PageFiles } from './page-files.ts';

const HOST = '127.0.0.1';

export class FilmServer {
  readonly #server: Server;
  readonly #files = new PageFiles('film');
  readonly #film: string;

  constructor(film: Film) {
    this.#film = JSON.stringify(film);
    this.#server = createServer(({ url = '/', headers }, response) => {
      const { port } = this.#server.address() as AddressInfo;
      // A hostile page can make its own name point here, but its browser still sends that name.
      const isOurs = headers.host === `${HOST}:${port}` || headers.host === `localhost:${port}`;
      if (!isOurs) return send(response, 421, 'text/plain', 'asked under a foreign name');
      if (url === '/film.json') return send(response, 200, 'application/json', this.#film);
      const file = this.#files.file(url);
      if (file === undefined) return send(response, 404, 'text/plain', 'there is no such file');
      if (url === '/') response.setHeader('Content-Security-Policy', this.#files.policy([]));
      send(response, 200, file.type, file.body);
    });
  }

  /** Any free port for 0; resolves with the address of the page. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: HOST, port }, () => {
        resolve(`http://${HOST}:${(this.#server.address() as AddressInfo).port}/`);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function send(response: ServerResponse, code: number, type: string, body: string | Buffer): void {
  response.writeHead(code, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}
