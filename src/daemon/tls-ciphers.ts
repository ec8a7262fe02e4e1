/** Not for anybody to choose in Kubernetes' configurations: they go with TLS 1.3. */
const tls13Suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/**
 * The `ciphers` of Node's TLS for IANA names of suites: those of TLS 1.2 by OpenSSL's names, and TLS 1.3 always, which Node
 * would switch off when none of its suites is named. Undefined, for Node's own choice, when the list is empty.
 */
export function tlsCiphers(suites: readonly string[]): string | undefined {
  if (suites.length === 0) return undefined;
  const older = suites.filter((suite) => suite.includes("_WITH_")).map(openSslName);
  return [...tls13Suites, ...older].join(":");
}

/** `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256` to OpenSSL. */
function openSslName(suite: string): string {
  const [exchange = "", cipher = ""] = suite.replace("TLS_", "").split("_WITH_");
  const keys = exchange === "RSA" ? [] : exchange.split("_");
  const algorithm = cipher
    .replace(/^AES_(\d+)_CBC/, "AES$1")
    .replace(/^AES_(\d+)/, "AES$1")
    .replace(/^CHACHA20_POLY1305_SHA256$/, "CHACHA20_POLY1305")
    .replace(/^3DES_EDE_CBC/, "DES_CBC3");
  return [...keys, ...algorithm.split("_")].join("-");
}
