// `import ... from "node:http"` reads all that the module exports, `WebSocket` with it, and that loads undici: 3 MiB of code in each
// thread, for nothing. What is read here loads only itself. layers.json keeps values from being imported elsewhere; types may be.
export const { Agent, createServer, request, STATUS_CODES } = process.getBuiltinModule("node:http");
