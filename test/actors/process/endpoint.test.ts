import { expect, test } from 'vitest';
import { formatEndpoint, parseEndpoint } from '../../../transport/endpoint.ts';

test.each([
  ['127.0.0.1:6379', { host: '127.0.0.1', port: 6379 }],
  ['node-1.example.org:0', { host: 'node-1.example.org', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
])('%s is an endpoint, and is written the same', (text, endpoint) => {
  expect(parseEndpoint(text)).toEqual(endpoint);
  expect(formatEndpoint(endpoint)).toBe(text);
});

test.each(['', ':1', 'host', 'host:', 'host:65536', 'host:x', '::1:80', 'a b:1', 'u@h:1', 'h/:1'])(
  '%j is none',
  (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  },
);
