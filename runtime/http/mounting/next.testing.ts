import type { Host } from "./host.testing.ts";

/** What a file `route.ts` of Next exports. */
type RouteFile = Readonly<
  Record<string, (request: Request, context: { params: Promise<object> }) => Promise<Response>>
>;

export const nextHosts: readonly Host[] = [
  {
    name: "Next, as route handlers with the paths in full",
    prefix: "",
    written: "/api",
    late: { status: 500, isStarted: true, why: "a route handler is the user's own function" },
    open: async (cronflow, { before, after }) => {
      const handler = async (request: Request): Promise<Response> => {
        before();
        const response = await cronflow.fetch(request);
        after();
        return response;
      };
      const own = async (request: Request): Promise<Response> => Response.json(await request.json());
      const files: [folder: RegExp, file: RouteFile][] = [
        [/^\/own$/, { POST: own }],
        [/^\/api\/.+$/, { POST: handler }],
        [/^\/cronflow\/.+$/, { GET: handler, POST: handler }],
        [/^\/health$/, { GET: handler }],
      ];
      return { send: (path, init) => route(files, new Request(new URL(path, "http://localhost").href, init)) };
    },
  },
];

/** What Next does with a request, as far as it concerns route handlers. */
async function route(files: readonly [RegExp, RouteFile][], request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const file = files.find(([folder]) => folder.test(pathname))?.[1];
  if (file === undefined) return new Response(null, { status: 404 });
  const handler = file[request.method];
  if (handler === undefined)
    return new Response(null, { status: 405, headers: { allow: Object.keys(file).join(", ") } });
  return handler(request, { params: Promise.resolve({}) }).catch(() => new Response(null, { status: 500 }));
}
