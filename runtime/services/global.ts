/**
 * The services that `createCronflow({ services })` and `start({ services })` give to every workflow, for the compiler:
 *
 *     declare module "cronflow-ffi" {
 *       interface GlobalServices {
 *         slack: ActionsOf<typeof slack>;
 *       }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs add to it
export interface GlobalServices {}
