import { strings } from "./addon.ts";
import { start } from "./start.ts";

start(strings);
