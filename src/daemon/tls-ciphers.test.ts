import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getCiphers } from "node:tls";
import { tlsCiphers } from "./tls-ciphers.ts";

/** Go's secure suites, which Kubernetes' configurations name. */
const suites = [
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  "TLS_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_RSA_WITH_AES_256_CBC_SHA",
];

describe("cipher suites", () => {
  it("are known to OpenSSL by the names they get", () => {
    const known = new Set(getCiphers());
    for (const suite of suites) {
      const name = tlsCiphers([suite])?.split(":").at(-1) ?? "";
      assert.ok(known.has(name.toLowerCase()), `${suite} is ${name}`);
    }
  });

  it("leave TLS 1.3 on, and Node's choice where none are given", () => {
    assert.match(tlsCiphers(["TLS_RSA_WITH_AES_128_CBC_SHA"]) ?? "", /^TLS_AES_128_GCM_SHA256:.*:AES128-SHA$/);
    assert.equal(tlsCiphers([]), undefined);
  });
});
