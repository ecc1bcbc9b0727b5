/**
 * From which size on OBJECT ENCODING tells the larger encoding, under Redis' names and with its
 * defaults. They reach the state, so all replicas need the same.
 */
export interface Thresholds {
  readonly hashMaxListpackEntries: number;
  readonly hashMaxListpackValue: number;
  readonly setMaxIntsetEntries: number;
  readonly setMaxListpackEntries: number;
  readonly setMaxListpackValue: number;
}

export const THRESHOLDS: Thresholds = {
  hashMaxListpackEntries: 128,
  hashMaxListpackValue: 64,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
};
