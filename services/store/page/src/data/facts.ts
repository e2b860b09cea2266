// What is known when there is nothing to show, for the diagnosis.

import { ApiError } from "../api/client";
import type { Queries } from "../api/queries";
import type { Facts } from "../model/diagnosis";
import { parseMatchers } from "../model/selector";
import type { Interval } from "../model/time_range";
import type { ViewState } from "../model/view_state";
import type { Overview } from "./loader";

const STATS_TIMEOUT_MS = 5000;

// `error` is what the load failed with; undefined when it succeeded and was empty.
export async function gatherFacts(
  queries: Queries,
  state: ViewState,
  overview: Overview | null,
  interval: Interval | null,
  error: unknown,
): Promise<Facts> {
  const soon = (): AbortSignal => AbortSignal.timeout(STATS_TIMEOUT_MS);
  const [stats, checks] = await Promise.all([
    queries.stats(soon()).catch(() => null),
    queries.checks(soon()).catch(() => []),
  ]);
  const services = overview?.services ?? new Map<string, string[]>();
  return {
    now: Date.now(),
    interval,
    service: state.service,
    filter: state.filter,
    filterError: parseMatchers(state.filter).error,
    type: overview?.type ?? state.type,
    failure: error === undefined ? null : failureOf(error),
    stats,
    checks,
    types: overview?.types ?? [],
    serviceTypes: services.get(state.service) ?? [],
    services: [...services.keys()],
  };
}

export function failureOf(error: unknown): { status: number; message: string } {
  if (error instanceof ApiError) return { status: error.status, message: error.message };
  return { status: 500, message: error instanceof Error ? error.message : String(error) };
}
