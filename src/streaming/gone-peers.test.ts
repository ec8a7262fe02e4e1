import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTables } from "./gone-peers.ts";

test("the kernel's tables tell which pairs of ports are established", () => {
  const tcp = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1",
    "   1: 0100007F:1F90 0100007F:9C41 08 00000000:00000000 00:00000000 00000000     0        0 2 1",
    "   2: 0100007F:1F90 0100007F:9C42 01 00000000:00000000 00:00000000 00000000     0        0 3 1",
    "   3: 0100007F:9C42 0100007F:1F90 04 00000000:00000000 00:00000000 00000000     0        0 4 1",
    "",
  ].join("\n");
  const tcp6 = "header\n 0: 00000000000000000000000001000000:1F90 00000000000000000000000001000000:9C41 01 0\n";
  const connections = parseTables([tcp, tcp6]);
  assert.equal(connections.get("8080 40002"), true);
  assert.equal(connections.get("40002 8080"), false);
  assert.equal(connections.get("8080 40001"), true, "one of two is enough");
  assert.equal(connections.get("8080 40003"), undefined);
});
