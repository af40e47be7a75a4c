/** Where the management routes are, so that they never meet a webhook of the user's. */
export const MANAGEMENT_PREFIX = "/cronflow";
