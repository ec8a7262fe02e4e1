import type { SecureVersion } from "node:tls";
import type { Config } from "#config/index.ts";
import type { TlsFiles } from "#lib/tls-files.ts";
import { tlsCiphers } from "./tls-ciphers.ts";

const versions: Record<Config["api"]["tlsMinVersion"], SecureVersion> = {
  VersionTLS12: "TLSv1.2",
  VersionTLS13: "TLSv1.3",
};

/** What `tls_min_version` and `tls_cipher_suites` say, for every TLS server. */
export function tlsLimits({ tlsMinVersion, tlsCipherSuites }: Config["api"]): Pick<TlsFiles, "minVersion" | "ciphers"> {
  return {
    minVersion: versions[tlsMinVersion],
    ciphers: tlsCiphers(tlsCipherSuites),
  };
}
