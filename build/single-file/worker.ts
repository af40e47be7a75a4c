/** Opens the database that it is told, executes one run, and says its output, or the code of the error. */
import { CronflowError, createCronflow } from "cronflow-ffi";

declare const self: Worker;

self.onmessage = async ({ data: database }: MessageEvent<string>) => {
  const engine = createCronflow({ database });
  const greet = engine.define({ id: "greet" }).step("say", () => "hello");
  try {
    await engine.start();
    self.postMessage(await engine.execute(greet));
  } catch (error) {
    if (!(error instanceof CronflowError)) throw error;
    self.postMessage(error.code);
  }
};
