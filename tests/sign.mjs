// Signs payloads by libraries that aren't ours: one request a line on standard input, one signature a line on standard output.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { sign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

const schemes = {
  "github-sha256": ({ secret, body }) => sign(secret, body),
  "github-sha1": ({ secret, body }) => `sha1=${createHmac("sha1", secret).update(body).digest("hex")}`,
  "gitea": ({ secret, body }) => createHmac("sha256", secret).update(body).digest("hex"),
  "standard": ({ secret, body, id, seconds }) => new Webhook(secret).sign(id, new Date(seconds * 1000), body),
};
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(await schemes[request.scheme](request));
}
