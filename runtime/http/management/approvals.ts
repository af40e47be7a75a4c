/** Requests for approval: who waits, one of them, and its answer. */
import type { HttpOptions } from "../options.ts";
import { answeredPage, requestPage } from "./page.ts";
import { type Route, route } from "./route.ts";
import { flag, object, openObject, text, whole } from "./schema.ts";
import { shapeOf } from "./shapes.ts";

const TOKEN = { token: text("What `onPause` was given.") };
const isOpen = ({ approvals }: HttpOptions): boolean => approvals === "token";

export const APPROVAL_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/approvals",
    operationId: "listApprovals",
    summary: "Runs that wait for a person, oldest first.",
    query: object({
      workflowId: text("Only runs of this workflow."),
      limit: whole(1, 1_000, "How many at most. Default 100."),
    }),
    success: { status: 200, description: "The requests.", schema: shapeOf("ApprovalList") },
    handle: async ({ verbs }, { query }) => ({ approvals: await verbs.listPausedWorkflows(query) }),
  }),
  route({
    method: "GET",
    path: "/approvals/:token",
    operationId: "getApproval",
    summary: "A request for approval; a page with a form for browsers. Looking at it changes nothing.",
    params: TOKEN,
    success: { status: 200, description: "The request.", schema: shapeOf("Approval") },
    refusals: [404],
    isOpen,
    page: requestPage,
    handle: ({ verbs }, { param }) => verbs.getPausedWorkflow(param("token")),
  }),
  route({
    method: "POST",
    path: "/approvals/:token",
    operationId: "answerApproval",
    summary: "Answers a request for approval: once.",
    params: TOKEN,
    body: openObject("The answer; `ctx.last` has every field of it.", { approved: flag("Whether it is approved.") }),
    isBodyRequired: true,
    success: { status: 200, description: "The answer is recorded.", schema: shapeOf("Answered") },
    refusals: [404, 409],
    isOpen,
    page: answeredPage,
    handle: async ({ verbs }, { param, body }) => {
      await verbs.resume(param("token"), body);
      return { approved: body["approved"] === true };
    },
  }),
];
