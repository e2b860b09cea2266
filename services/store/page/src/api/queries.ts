// The questions the page asks the store.

import { parseChecks, type Check } from "../model/checks";
import { decodeFlameGraph } from "../model/levels";
import type { Interval } from "../model/time_range";
import type { Node } from "../model/tree";
import type { Client } from "./client";
import type { LabelPair, Series, Stats } from "./messages";
import { ProtoWriter } from "./proto_writer";

// The largest number of nodes that Pyroscope's API admits. Tables and sandwiches are sums over the
// tree, so it must not be cut.
export const MAX_NODES = 1_048_576;

export interface Selection {
  type: string;
  selector: string;
  interval: Interval;
}

const whole = (interval: Interval): { start: number; end: number } => ({
  start: Math.floor(interval.start),
  end: Math.ceil(interval.end),
});

export class Queries {
  constructor(private readonly client: Client) {}

  async profileTypes(interval: Interval, signal: AbortSignal): Promise<string[]> {
    const answer = await this.client.json("ProfileTypes", whole(interval), signal);
    const types = (answer.profileTypes ?? []) as Array<{ ID?: string }>;
    return types.map((t) => t.ID ?? "").filter((id) => id !== "");
  }

  async labelNames(selector: string, interval: Interval, signal: AbortSignal): Promise<string[]> {
    const request = { matchers: [selector], ...whole(interval) };
    const answer = await this.client.json("LabelNames", request, signal);
    return ((answer.names ?? []) as string[]).filter((name) => !name.startsWith("__"));
  }

  async labelValues(
    name: string,
    selector: string,
    interval: Interval,
    signal: AbortSignal,
  ): Promise<string[]> {
    const request = { name, matchers: [selector], ...whole(interval) };
    const answer = await this.client.json("LabelValues", request, signal);
    return (answer.names ?? []) as string[];
  }

  // Services with their profile types.
  async services(interval: Interval, signal: AbortSignal): Promise<Map<string, string[]>> {
    const labelNames = ["service_name", "__profile_type__"];
    const request = { matchers: [], labelNames, ...whole(interval) };
    const answer = await this.client.json("Series", request, signal);
    const services = new Map<string, string[]>();
    for (const set of (answer.labelsSet ?? []) as Array<{ labels?: LabelPair[] }>) {
      const value = (name: string): string =>
        set.labels?.find((label) => label.name === name)?.value ?? "";
      const types = services.get(value("service_name")) ?? [];
      types.push(value("__profile_type__"));
      services.set(value("service_name"), types);
    }
    return services;
  }

  async series(
    { type, selector, interval }: Selection,
    groupBy: string[],
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Series[]> {
    const request = {
      profileTypeID: type,
      labelSelector: selector,
      ...whole(interval),
      groupBy,
      step: stepMs / 1000,
    };
    const answer = await this.client.json("SelectSeries", request, signal);
    return ((answer.series ?? []) as Array<Record<string, any>>).map((s) => ({
      labels: (s.labels ?? []) as LabelPair[],
      points: ((s.points ?? []) as Array<Record<string, any>>).map((p) => ({
        value: Number(p.value ?? 0),
        timestamp: Number(p.timestamp ?? 0),
      })),
    }));
  }

  async tree({ type, selector, interval }: Selection, signal: AbortSignal): Promise<Node> {
    const request = {
      profileTypeID: type,
      labelSelector: selector,
      ...whole(interval),
      maxNodes: MAX_NODES,
    };
    const answer = await this.client.json("SelectMergeStacktraces", request, signal);
    return decodeFlameGraph(answer.flamegraph);
  }

  // The merged pprof, bare protobuf.
  async pprof({ type, selector, interval }: Selection, signal: AbortSignal): Promise<Uint8Array> {
    const { start, end } = whole(interval);
    const request = new ProtoWriter()
      .text(1, type)
      .text(2, selector)
      .integer(3, start)
      .integer(4, end);
    return this.client.proto("SelectMergeProfile", request.bytes(), signal);
  }

  // What is wrong with the host; empty where the store has not been told.
  async checks(signal: AbortSignal): Promise<Check[]> {
    return parseChecks(await this.client.document("/api/v1/diagnosis", signal));
  }

  // The page that shows one profile, without any; its address stands in the page.
  async reportPage(signal: AbortSignal): Promise<string> {
    const link = document.querySelector<HTMLMetaElement>("meta[name=stoker-report]");
    if (!link) throw new Error("this store has no report page");
    return this.client.text(`/${link.content}`, signal);
  }

  async stats(signal: AbortSignal): Promise<Stats> {
    const answer = await this.client.json("GetProfileStats", {}, signal);
    return {
      ingested: answer.dataIngested === true,
      oldest: Number(answer.oldestProfileTime ?? 0),
      newest: Number(answer.newestProfileTime ?? 0),
    };
  }
}
