// Sends requests to an ingress, all at once and each as a user of its own (X-User), and prints what became of each as JSON:
// run inside the network of a test's cluster.
//   node ask-ingress.ts ADDRESS HOST COUNT
import { request } from "node:http";

export interface Asked {
  /** 0: the connection broke. */
  readonly status: number;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly sentMs: number;
  readonly answeredMs: number;
}

const [address = "", host = "", count = "1"] = process.argv.slice(2);
const [hostname, port = "80"] = address.split(":");

function ask(index: number): Promise<Asked> {
  const sentMs = Date.now();
  return new Promise((resolve) => {
    const call = request(
      { hostname, port, path: "/", headers: { host, "x-user": `user-${index}` }, agent: false },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text, sentMs, answeredMs: Date.now() }));
      },
    );
    call.on("error", (error) => resolve({ status: 0, text: error.message, sentMs, answeredMs: Date.now() }));
    call.end();
  });
}

console.log(JSON.stringify(await Promise.all(Array.from({ length: Number(count) }, (_, index) => ask(index)))));
