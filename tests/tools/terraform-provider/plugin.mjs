// What go-plugin expects of a program: the handshake on standard output, gRPC over HTTP/2 with a
// certificate of its own, and a way to be shut down.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import http2 from "node:http2";

const COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
const hex = (text) => Buffer.from(text, "hex");
const sequence = (...parts) => der(0x30, ...parts);

/** A self-signed certificate for `localhost` (X.509 v3), as the client adds it to its roots. */
function certificate() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(der(0x06, hex("2a8648ce3d040302")));
  const name = sequence(der(0x31, sequence(der(0x06, hex("550403")), der(0x0c, Buffer.from("localhost")))));
  const time = (text) => der(0x17, Buffer.from(text));
  const extension = (oid, value) => sequence(der(0x06, hex(oid)), der(0x04, value));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(time("200101000000Z"), time("491231235959Z")),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(
      extension("551d13", sequence(der(0x01, Buffer.from([0xff])))),
      extension("551d11", sequence(der(0x82, Buffer.from("localhost")))),
    )),
  );
  const whole = sequence(body, algorithm, der(0x03, Buffer.from([0]), sign("sha256", body, privateKey)));
  const lines = whole.toString("base64").match(/.{1,64}/g).join("\n");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    line: whole.toString("base64").replace(/=+$/, ""),
  };
}

/** Serves `methods` (by name, bytes to bytes) as a provider of protocol 6 until told to go. */
export function serve(methods) {
  if (process.env.TF_PLUGIN_MAGIC_COOKIE !== COOKIE) {
    process.stderr.write("This is a Terraform provider for Paddock's tests. Terraform starts it.\n");
    process.exit(1);
  }
  const secure = Boolean(process.env.PLUGIN_CLIENT_CERT);
  const own = secure ? certificate() : {};
  const server = secure ? http2.createSecureServer({ key: own.key, cert: own.cert }) : http2.createServer();
  server.on("stream", (stream, headers) => {
    const path = headers[":path"];
    const kind = { ":status": 200, "content-type": "application/grpc" };
    const method = path.startsWith("/tfplugin6.Provider/") ? methods[path.split("/")[2]] : undefined;
    stream.on("error", () => {});
    if (path === "/plugin.GRPCController/Shutdown") process.exit(0);
    if (!method) return stream.respond({ ...kind, "grpc-status": "12" }, { endStream: true });
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", async () => {
      let answer = Buffer.alloc(0);
      let status = { "grpc-status": "0" };
      try {
        answer = await method(Buffer.concat(chunks).subarray(5));
      } catch (error) {
        status = { "grpc-status": "13", "grpc-message": encodeURIComponent(String(error?.stack ?? error)) };
      }
      if (stream.destroyed) return;
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(answer.length, 1);
      stream.respond(kind, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(status));
      stream.end(status["grpc-status"] === "0" ? Buffer.concat([frame, answer]) : undefined);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = `127.0.0.1:${server.address().port}`;
    process.stdout.write(`1|6|tcp|${address}|grpc${secure ? `|${own.line}` : ""}\n`);
  });
}
