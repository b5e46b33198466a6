import { expect, test } from "bun:test";
import { methodsOf } from "./methods.ts";

const methods = methodsOf([
  { method: "GET", path: "/query/:id" },
  { method: "DELETE", path: "/query/:id" },
  { method: "POST", path: "/query" },
  { method: "GET", path: "/maybe/:id?" },
  { method: "GET", path: "/files/*" },
  { method: "GET", path: "/openapi.json" },
  { method: "GET", path: "/" },
]);

test.each([
  ["/query", ["POST"]],
  ["/query/", ["POST"]],
  ["/query/7", ["DELETE", "GET", "HEAD"]],
  ["/query/7/8", []],
  ["/maybe", ["GET", "HEAD"]],
  ["/maybe/7", ["GET", "HEAD"]],
  ["/files/a/b", ["GET", "HEAD"]],
  ["/openapi.json", ["GET", "HEAD"]],
  ["/openapiXjson", []],
  ["/", ["GET", "HEAD"]],
  ["/QUERY", []],
  ["//query", []],
])("%s knows %p", (path, expected) => {
  expect(methods(path)).toEqual(expected);
});
