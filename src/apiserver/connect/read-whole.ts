import { concatBytes } from "#base/bytes.ts";
import type { HttpResponse } from "#world/http.ts";

/** The body of an answer in one piece; undefined when it breaks off or has more than `bytesMax` bytes. */
export function readWhole(response: HttpResponse, bytesMax: number): Promise<Uint8Array | undefined> {
  const { body } = response;
  if (!("open" in body)) {
    const whole = body instanceof Uint8Array ? body : concatBytes(body);
    return Promise.resolve(whole.length <= bytesMax ? whole : undefined);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  return new Promise((resolve) => {
    body.open({
      write: (chunk) => {
        length += chunk.length;
        if (bytesMax < length) {
          body.close();
          resolve(undefined);
          return false;
        }
        chunks.push(chunk);
        return true;
      },
      end: () => resolve(concatBytes(chunks)),
      abort: () => resolve(undefined),
    });
  });
}
