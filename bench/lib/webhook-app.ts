import { cronflow } from "cronflow-ffi";

cronflow
  .define({ id: "hook" })
  .onWebhook("/hook")
  .step("no-op", () => {});

const [port, database = ""] = process.argv.slice(2);
await cronflow.start({ port: Number(port), hostname: "127.0.0.1", database });
