/**
 * `host:port` in settings and on command lines. Pure. IPv6 addresses stand in brackets.
 */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `undefined` when the text is no endpoint. Port 0 means: any free port. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

export function formatEndpoint(endpoint: Endpoint): string {
  const { host, port } = endpoint;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** All addresses of a machine, and none that others could use. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
