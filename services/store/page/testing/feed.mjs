// Pushes the invented host's profiles of the last minutes to a store, to look at its page.
//   node testing/feed.mjs http://127.0.0.1:4040 [MINUTES]

import { fileURLToPath } from "node:url";
import { ALLOC, level, series as usual, shift } from "./fixture.mjs";
import { pprof } from "./encode.mjs";

const PERIOD_MS = 15_000;

function profileOf({ labels, stacks, weight }, type, timeMs, now) {
  const [name, sampleType, unit, periodType, periodUnit] = type.split(":");
  const scale = (type === ALLOC ? 65536 : 1e9) * level(labels.service_name, timeMs) * weight;
  const valued = stacks.map(([frames, share]) => [
    frames,
    Math.round((scale * share * shift(frames, timeMs, now)) / 1000),
  ]);
  const about = { sampleType, unit, periodType, periodUnit, timeMs };
  const all = { ...labels, __name__: name };
  return {
    labels: Object.entries(all).map(([key, value]) => ({ name: key, value })),
    samples: [
      {
        rawProfile: Buffer.from(
          pprof(
            valued.filter(([, value]) => value > 0),
            about,
          ),
        ).toString("base64"),
      },
    ],
  };
}

// A profile of each series every 15 s for `minutes` until `until`.
export async function feed(url, { minutes = 20, until = Date.now(), series = usual } = {}) {
  const end = Math.floor(until / PERIOD_MS) * PERIOD_MS;
  for (let time = end - minutes * 60_000; time <= end; time += PERIOD_MS) {
    const pushed = series.flatMap((s) => s.types.map((type) => profileOf(s, type, time, until)));
    const response = await fetch(`${url}/push.v1.PusherService/Push`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ series: pushed }),
    });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , url, minutes = "20"] = process.argv;
  if (!url) {
    console.error("usage: node testing/feed.mjs URL [MINUTES]");
    process.exit(2);
  }
  await feed(url, { minutes: Number(minutes) });
}
