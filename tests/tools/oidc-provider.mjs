// A real, certified OpenID provider for the tests, on a free loopback port. It says who signs in by
// `login_hint`, asks nothing, and prints its issuer as one line of JSON.
//   node oidc-provider.mjs REDIRECT_URI
// PUT /test/people/SUB with {"preferred_username", "name", "email", "groups"} sets a person.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import Provider from "oidc-provider";

const people = new Map();
let provider;

async function interaction(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  let result;
  if (prompt.name === "login") {
    result = { login: { accountId: params.login_hint } };
  } else {
    const { Grant } = provider;
    const grant = (grantId && (await Grant.find(grantId))) || new Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
}

const server = createServer(async (req, res) => {
  try {
    if (req.method === "PUT" && req.url.startsWith("/test/people/")) {
      people.set(req.url.slice("/test/people/".length), JSON.parse(await text(req)));
      res.writeHead(204).end();
    } else if (req.url.startsWith("/interaction/")) {
      await interaction(req, res);
    } else {
      provider.callback()(req, res);
    }
  } catch (error) {
    res.writeHead(500).end(String(error));
  }
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const issuer = `http://127.0.0.1:${server.address().port}`;
provider = new Provider(issuer, {
  clients: [{ client_id: "paddock", client_secret: "a secret of the tests", redirect_uris: [process.argv[2]] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "name"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  cookies: { keys: ["cookies of the tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, details) => `/interaction/${details.uid}` },
  pkce: { required: () => true },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
});
console.log(JSON.stringify({ issuer }));
// The test reads that line and closes its end; warnings of the provider after it go nowhere.
process.stdout.on("error", () => {});

// The test holds our standard input: when it ends, so do we.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
