/** Commands of the console on a real gateway, as the user that is logged in. */
import { expect, test } from 'vitest';
import { runAs } from '../../../transport/console/user-commands.ts';
import type { Gateway } from '../../../transport/resp/gateway.ts';
import { Harness } from '../resp/harness.ts';

/** The gateway's turn ends behind the commands. */
function run(gateway: Gateway, user: string | undefined, commands: readonly (readonly string[])[]) {
  const replies = runAs(gateway, user, commands);
  gateway.flush();
  return replies;
}

test('commands are answered in their order, with errors as replies', async () => {
  const { gateway } = new Harness();
  const replies = await run(gateway, 'default', [['PING'], ['NOSUCH'], ['ECHO', '\xff\r\n']]);
  expect(replies).toEqual(['PONG', { error: expect.stringContaining('NOSUCH') }, '\xff\r\n']);
});

test('the connection is closed behind the last reply', async () => {
  const { gateway } = new Harness();
  await run(gateway, 'default', [['PING']]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(gateway.size).toBe(0);
});

test.each([undefined, '(token)', 'default'])('%s is the default user', async (user) => {
  const { gateway } = new Harness();
  expect(await run(gateway, user, [['ACL', 'WHOAMI']])).toEqual(['default']);
});

test('a user that is gone may do nothing, not what others may who connect', async () => {
  const { gateway } = new Harness();
  const replies = run(gateway, 'nobody', [['ACL', 'WHOAMI']]);
  await expect(replies).rejects.toThrow('the user nobody is not there any more');
  expect(gateway.size).toBe(0);
});
