/** Of commands that wait: short, or wrong; none waits for ever. */
import fc from 'fast-check';

export const timeout = fc.constantFrom(
  ...['0.001', '0.002', '1e-3', '.001', '0.001', '0.001'],
  ...['x', '', '-1', 'nan', '-0.5', '1 '],
);
