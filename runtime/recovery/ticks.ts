/** How often the schedule beside the webhooks fires. */
export const TICK_MS = 20;
