/** The N-API doors under Node: prints what was measured as JSON. Arguments: a directory that is removed later. */
import { measureDoors } from "./rounds.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: node node.mjs DIRECTORY");
process.stdout.write(JSON.stringify(await measureDoors([], directory, () => {})));
