import { createServer } from "node:http";
import express, { type ErrorRequestHandler } from "express";
import { type Host, listening } from "./host.testing.ts";

/** An app whose middleware is around cronflow, with `mount` to put it there and, if it is there, a handler of errors. */
function host(
  { name, prefix, late }: Pick<Host, "name" | "prefix" | "late">,
  mount: (app: express.Express, handler: express.Handler) => void,
  onError?: ErrorRequestHandler,
): Host {
  return {
    name,
    prefix,
    written: "",
    late,
    open: (cronflow, { before, after }) => {
      const app = express();
      app.set("env", "test"); // Express writes what it answers 500 to stderr elsewhere.
      app.use((_request, _response, next) => {
        before();
        next();
        after();
      });
      mount(app, cronflow.toNodeHandler());
      app.use(express.json());
      app.post("/own", (request, response) => void response.json(request.body));
      if (onError !== undefined) app.use(onError);
      return listening(createServer(app));
    },
  };
}

const root = {
  name: "Express, at the root",
  prefix: "",
  late: {
    status: 500,
    isStarted: true,
    why: "Express answers what is thrown after next() itself, once it has read the body",
  },
} as const;

const prefixed = {
  name: "Express, under a prefix, with a handler of errors",
  prefix: "/flows",
  late: {
    status: 500,
    isStarted: false,
    why: "what is thrown after next() is answered at once, before cronflow begins",
  },
} as const;

export const expressHosts: readonly Host[] = [
  host(root, (app, handler) => app.use(handler)),
  host(
    prefixed,
    (app, handler) => app.use("/flows", handler),
    (_error, _request, response, _next) => void response.status(500).end(),
  ),
];
