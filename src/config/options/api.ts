import { absolutePath, absolutePathOrEmpty, between, each, matches } from "../checks.ts";
import { boolean, choice, duration, integer, list, text } from "../option.ts";
import { section } from "../section.ts";

const defaultMessageBytes = 80 * 1024 * 1024;

/** `[crio.api]`: the CRI socket and the streaming server. */
export const api = section("crio.api", "The CRI socket and the server for exec, attach and port-forward.", {
  listen: text("listen", {
    default: "/var/run/crio/crio.sock",
    check: absolutePath,
    description:
      "Unix socket that speaks the CRI. The default is CRI-O's, so that kubeadm, minikube and crictl find it.",
  }),
  streamAddress: text("stream_address", {
    default: "127.0.0.1",
    description: "Address on which the streaming server listens.",
  }),
  streamPort: text("stream_port", {
    default: "0",
    check: (value) =>
      /^\d{1,5}$/.test(value) && Number(value) < 65_536 ? undefined : "must be a port number as a string",
    description: "Port of the streaming server; 0 lets the kernel choose one.",
  }),
  streamEnableTls: boolean("stream_enable_tls", {
    default: false,
    environment: "CONTAINER_ENABLE_TLS",
    description: "Serves streams by TLS. Needs stream_tls_cert and stream_tls_key.",
  }),
  streamTlsCert: text("stream_tls_cert", {
    default: "",
    environment: "CONTAINER_TLS_CERT",
    check: absolutePathOrEmpty,
    description: "Certificate of the streaming server, PEM. Read again when it changes.",
  }),
  streamTlsKey: text("stream_tls_key", {
    default: "",
    environment: "CONTAINER_TLS_KEY",
    check: absolutePathOrEmpty,
    description: "Key of the streaming server, PEM. Read again when it changes.",
  }),
  streamTlsCa: text("stream_tls_ca", {
    default: "",
    environment: "CONTAINER_TLS_CA",
    check: absolutePathOrEmpty,
    description:
      "Certificate authorities that clients of the streaming server must present a certificate of. Empty: no client certificates.",
  }),
  streamIdleTimeoutMs: duration("stream_idle_timeout", {
    default: 4 * 3600_000,
    environment: "STREAM_IDLE_TIMEOUT",
    description: "Ends streams on which nothing moved for this long. Empty: four hours.",
  }),
  tlsMinVersion: choice("tls_min_version", ["VersionTLS12", "VersionTLS13"], {
    default: "VersionTLS12",
    description: "Lowest TLS version of the streaming and metrics servers.",
  }),
  tlsCipherSuites: list("tls_cipher_suites", {
    default: [],
    check: each(matches(/^TLS_[A-Z0-9_]+$/, "an IANA cipher suite name")),
    description: "IANA names of the TLS 1.2 cipher suites to offer. Empty: the secure defaults.",
  }),
  grpcMaxSendMsgSizeBytes: integer("grpc_max_send_msg_size", {
    default: defaultMessageBytes,
    check: between(-1, 2 ** 31 - 1),
    description: "Largest message that the CRI socket sends, in bytes. 0 or less: the default.",
  }),
  grpcMaxRecvMsgSizeBytes: integer("grpc_max_recv_msg_size", {
    default: defaultMessageBytes,
    check: between(-1, 2 ** 31 - 1),
    description: "Largest message that the CRI socket takes, in bytes. 0 or less: the default.",
  }),
});
