// A real store for tests: the process itself on a free port of the loopback interface, with a data
// folder of its own. STORE names its binary.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const STARTS = 5;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// Resolves when the process says that it is ready, with whether it did before it ended.
function untilSaysReady(child) {
  return new Promise((resolve) => {
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
      if (said.includes("msg=ready")) resolve(true);
    });
    child.once("exit", () => resolve(false));
    child.once("error", () => resolve(false));
  });
}

export class RealStore {
  constructor(folder) {
    this.folder = folder;
    this.doctorFile = join(folder, "doctor.json");
  }

  static async start() {
    const store = new RealStore(await mkdtemp(join(tmpdir(), "stoker-store-")));
    // Somebody else may have taken the port that was free a moment ago.
    for (let i = 0; i < STARTS; i++) if (await store.spawn(await freePort())) return store;
    throw new Error(`${process.env.STORE} does not start`);
  }

  async spawn(port) {
    const { folder } = this;
    this.url = `http://127.0.0.1:${port}`;
    this.child = spawn(
      process.env.STORE,
      [
        ...["--data-dir", folder, "--run-dir", folder, "--http.listen", `127.0.0.1:${port}`],
        ...["--doctor-file", this.doctorFile],
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    return untilSaysReady(this.child);
  }

  // Ends the process and keeps its data and its address.
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
  }

  async restart() {
    await this.stop();
    if (!(await this.spawn(Number(new URL(this.url).port)))) throw new Error("no restart");
  }

  async close() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
