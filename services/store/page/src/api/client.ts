// Calls of Pyroscope's read API: Connect over POST, JSON unless said otherwise.

// A request that failed. Status 0: there was no answer.
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class Client {
  // `base` is the origin and path before `/querier.v1…`; empty for the page's own server.
  constructor(private readonly base: string = "") {}

  async json(method: string, request: object, signal: AbortSignal): Promise<any> {
    const response = await this.post(method, JSON.stringify(request), "application/json", signal);
    try {
      return await response.json();
    } catch (e) {
      throw this.asError(e);
    }
  }

  // A text of the server itself.
  async text(path: string, signal: AbortSignal): Promise<string> {
    return (await this.answer(path, { signal })).text();
  }

  // A document of the server itself, as JSON.
  async document(path: string, signal: AbortSignal): Promise<any> {
    const response = await this.answer(path, { signal });
    try {
      return await response.json();
    } catch (e) {
      throw this.asError(e);
    }
  }

  // Sends JSON's protobuf counterpart, already encoded, and returns the answer's bytes.
  async proto(method: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const response = await this.post(method, request, "application/proto", signal);
    return new Uint8Array(await response.arrayBuffer());
  }

  private async post(
    method: string,
    body: string | Uint8Array,
    contentType: string,
    signal: AbortSignal,
  ): Promise<Response> {
    return this.answer(`/querier.v1.QuerierService/${method}`, {
      method: "POST",
      // The parameter asks for label names with dots and the like, which are left out otherwise.
      headers: {
        "Content-Type": contentType,
        Accept: `${contentType}; allow-utf8-labelnames=true`,
      },
      body: body as BodyInit,
      signal,
    });
  }

  private async answer(path: string, request: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.base + path, request);
    } catch (e) {
      throw this.asError(e);
    }
    if (!response.ok) throw new ApiError(response.status, await messageOf(response));
    return response;
  }

  private asError(e: unknown): Error {
    if (e instanceof DOMException && e.name === "AbortError") return e;
    return new ApiError(0, e instanceof Error ? e.message : String(e));
  }
}

async function messageOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text || response.statusText;
  }
}
