import { ffi } from "./ffi.ts";
import { start } from "./start.ts";

start(ffi);
