/**
 * How commands behave, as a number: every replica runs them again, so all nodes of a cluster run
 * them at one level, which the topology names. Raise it with any change of what a command does to
 * the state, and keep the old behaviour below it.
 */
export const BEHAVIOUR_LEVEL = 1;
