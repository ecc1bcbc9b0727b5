import { expect, test } from 'vitest';
import { verdictOf } from './audit.ts';

test('a report without faults is clean, one with some names them', () => {
  const clean = { metadata: { vulnerabilities: { total: 0 } }, vulnerabilities: {} };
  expect(verdictOf(JSON.stringify(clean)).code).toBe(0);
  const faulty = {
    metadata: { vulnerabilities: { high: 1, total: 1 } },
    vulnerabilities: { ws: { severity: 'high' } },
  };
  expect(verdictOf(JSON.stringify(faulty))).toEqual({ code: 1, text: '1 known faults\nws: high' });
});

test.each([
  [''],
  ['<html>'],
  ['{}'],
  ['{"error":{"code":"ENOAUDIT","summary":"the endpoint is not there"}}'],
  ['{"message":"404 Not Found"}'],
  ['{"metadata":{}}'],
])('%j is not checked, and not clean', (printed) => {
  expect(verdictOf(printed)).toMatchObject({
    code: 2,
    text: expect.stringMatching(/^not checked: ./),
  });
});
