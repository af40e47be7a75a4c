import { expect, test } from "bun:test";
import { bySpecificity, type PathPattern, pathPatterns, type Relation, relation } from "./webhook-path.ts";

test.each([
  ["/hook?key=abc", "`?key=abc` would be a query, which is no part of a path"],
  ["/hook?", "`?` would be a query"],
  ["/a/:b/c?", "`?` would be a query"],
  ["/a%20b", "so `%20` never matches. Write the character itself"],
  ["/caf%C3%A9", "so `%C3` never matches"],
  ["/a/:b?/c", "only parameters at the end may be left out; give it two webhooks"],
  ["/a*", "the part `a*` would not match as it is; write a parameter as `:name`, and `*` alone"],
  ["/orders/{id}", "the part `{id}` would not match as it is; write a parameter as `:name`"],
  ["/a/:b/c:d", "a parameter is a whole part of the path; `c:d` is none"],
  ["/a/:id/b/:id", "two of its parameters are called `id`"],
  ["/a/:id{[}", "`{[}` is no pattern"],
  ["/a/:id{[0-9]*}", "`{[0-9]*}` is no pattern that a part of a path can match"],
  ["/a/:rest{.+}/b", "`{.+}` may match slashes, which only a parameter at the end may"],
])("%s is refused", (path, message) => {
  expect(() => pathPatterns("w", path)).toThrow(message);
  expect(() => pathPatterns("w", path)).toThrow(`Workflow \`w\`, webhook \`${path}\``);
});

test.each([
  ["/", ["/"]],
  ["/a/", ["/a/"]],
  ["/café", ["/café"]],
  ["/100%", ["/100%"]],
  ["/v1/things:batch", ["/v1/things:batch"]],
  ["/a/:id{[0-9]{2}}/b", ["/a/:id{[0-9]{2}}/b"]],
  ["/a/:id{[^/]+}/b", ["/a/:id{[^/]+}/b"]],
  ["/a/:id{colou?r}", ["/a/:id{colou?r}"]],
  ["/a/:file{.+\\.png}", ["/a/:file{.+\\.png}"]],
  ["/a/*/b/*", ["/a/*/b/*"]],
  ["/a/:b?", ["/a", "/a/:b"]],
  ["/:a?/:b{[0-9]+}?", ["/", "/:a", "/:a/:b{[0-9]+}"]],
])("%s is taken", (path, paths) => {
  expect(pathPatterns("w", path).map((pattern) => pattern.path)).toEqual(paths as PathPattern["path"][]);
});

const pattern = (path: string): PathPattern => pathPatterns("w", path)[0] as PathPattern;

const MIRRORED: Readonly<Record<Relation, Relation>> = {
  disjoint: "disjoint",
  same: "same",
  narrower: "wider",
  wider: "narrower",
  unclear: "unclear",
};

test.each<[string, string, Relation]>([
  ["/a", "/b", "disjoint"],
  ["/a", "/a/", "disjoint"],
  ["/a", "/:x/:y", "disjoint"],
  ["/a/", "/a/:x", "disjoint"],
  ["/a/:x/c", "/a/b/:y/d", "disjoint"],
  ["/a/:x/c", "/:y/b/d", "disjoint"],
  ["/a/:x", "/a/:y", "same"],
  ["/a/*/b", "/a/:y/b", "same"],
  ["/a/b", "/a/:x", "narrower"],
  ["/a/b", "/:x/:y", "narrower"],
  ["/a/:x", "/a/*", "narrower"],
  ["/a", "/a/*", "narrower"],
  ["/a/b/c/d", "/a/*", "narrower"],
  ["/a/b/*", "/a/*", "narrower"],
  ["/:x", "/*", "narrower"],
  ["/a/:x{[0-9]+}", "/a/:y", "narrower"],
  ["/a/1", "/a/:x{[0-9]+}", "narrower"],
  ["/a/b", "/a/:x{[0-9]+}", "disjoint"],
  ["/a/:x", "/a/:y{.+}", "narrower"],
  ["/a/b/c", "/a/:y{.+}", "narrower"],
  ["/a/:y{.+}", "/a/*", "narrower"],
  ["/a", "/a/:y{.+}", "disjoint"],
  ["/a/:x/c", "/a/b/:y", "unclear"],
  ["/a/:x/c/*", "/a/b/:y/d", "unclear"],
  ["/a/:x/c/*", "/a/b/d/:y", "disjoint"],
  ["/a/:x/c/*", "/a/b/*", "unclear"],
  ["/a/:x{[0-9]+}", "/a/:x{[0-9a-f]+}", "unclear"],
])("%s to %s: %s", (one, other, expected) => {
  expect(relation(pattern(one), pattern(other))).toBe(expected);
  expect(relation(pattern(other), pattern(one))).toBe(MIRRORED[expected]);
  const order = Math.sign(bySpecificity(pattern(one), pattern(other)));
  if (expected === "narrower") expect(order).toBe(-1);
  if (expected === "same") expect(order).toBe(0);
});
