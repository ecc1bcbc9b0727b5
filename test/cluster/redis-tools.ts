/** Redis' own command-line programs, where the machine has them. They always get a time limit. */
import { spawn, spawnSync } from 'node:child_process';

export interface ToolResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function hasTool(name: string): boolean {
  const version = name === 'go' ? 'version' : '--version';
  const { error, status } = spawnSync(name, [version], { timeout: 5_000, stdio: 'ignore' });
  return error === undefined && status === 0;
}

/** Runs it to its end, or to `timeoutMs`; then it is killed and `code` is null. */
export function runTool(
  name: string,
  args: readonly string[],
  timeoutMs = 30_000,
): Promise<ToolResult> {
  return new Promise((settle, reject) => {
    const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => settle({ code, stdout, stderr }));
  });
}
