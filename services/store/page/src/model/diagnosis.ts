// Why there is nothing to show: one cause out of the usual ones, and what to do.

import { problemsOf, type Check } from "./checks";
import { formatMoment, formatSpan, type Interval } from "./time_range";

export interface Facts {
  now: number;
  interval: Interval | null;
  service: string;
  filter: string;
  filterError: string;
  type: string;
  // What went wrong with the request, if anything. Status 0: no answer at all.
  failure: { status: number; message: string } | null;
  // What the store has at all; null where it did not say.
  stats: { ingested: boolean; oldest: number; newest: number } | null;
  // What `stoker doctor` says of the host; empty where the store has not been told.
  checks: Check[];
  // Profile types in the range, of any service; of this service; services in the range.
  types: string[];
  serviceTypes: string[];
  services: string[];
}

export interface Action {
  label: string;
  // What the page is to do.
  kind: "clearFilter" | "allServices" | "showNewest" | "showType" | "lastHour" | "retry";
  value: string;
}

export interface Diagnosis {
  cause: string;
  title: string;
  text: string;
  // Commands to type on the host, each with what it tells.
  commands: Array<{ command: string; tells: string }>;
  actions: Action[];
  // What is wrong with the host, worst first, where that may be why.
  findings: Check[];
}

const STATUS = { command: "stoker status", tells: "which processes run, and their last errors" };
const DOCTOR = { command: "sudo stoker doctor", tells: "what this host lacks, and how to mend it" };
const SKEW_MS = 60_000;

function diagnosis(
  cause: string,
  title: string,
  text: string,
  rest: Partial<Pick<Diagnosis, "commands" | "actions">> = {},
): Diagnosis {
  const { commands = [], actions = [] } = rest;
  return { cause, title, text, commands, actions, findings: [] };
}

export function diagnose(facts: Facts): Diagnosis {
  const found =
    fromRequest(facts) ?? fromInput(facts) ?? fromStats(facts) ?? fromSelection(facts) ?? unknown();
  return HOST_CAUSES.has(found.cause) ? withFindings(found, facts.checks) : found;
}

// Nothing arrives: the reason may lie on the host, not in the question.
const HOST_CAUSES = new Set(["nothing-ever", "stopped", "gap", "no-service", "clock-ahead"]);
const ALL_MISSING = new Set(["nothing-ever", "stopped", "gap"]);

// An error of the host is the better title where all profiles are missing: it is the cause, their
// absence what follows.
function withFindings(found: Diagnosis, checks: Check[]): Diagnosis {
  const findings = problemsOf(checks);
  if (findings.length === 0) return checks.length === 0 ? found : withAllClear(found);
  if (findings[0].level !== "error" || !ALL_MISSING.has(found.cause)) return { ...found, findings };
  return {
    ...found,
    findings,
    title: findings[0].title,
    text: `${found.title}, and stoker doctor says why:`,
    commands: found.commands.filter(({ command }) => command === STATUS.command),
  };
}

function withAllClear(found: Diagnosis): Diagnosis {
  const text = `stoker doctor finds nothing wrong on the store's host. ${found.text}`;
  return { ...found, text, commands: found.commands.filter((c) => c !== DOCTOR) };
}

const RETRY: Action = { label: "Try again", kind: "retry", value: "" };

function fromRequest({ failure }: Facts): Diagnosis | null {
  if (!failure) return null;
  const { status, message } = failure;
  if (status === 0) {
    return diagnosis(
      "unreachable",
      "The store does not answer",
      "The page was loaded, but its server no longer responds. It has stopped or is restarting.",
      { commands: [STATUS], actions: [RETRY] },
    );
  }
  if (status === 401 || status === 403) {
    return diagnosis(
      "denied",
      "The store wants to know who you are",
      `It refused the request (${status}: ${message}). ` +
        "Open the page through the proxy that logs you in.",
    );
  }
  if (status === 504 || status === 429) {
    return diagnosis(
      "too-much",
      "The question is too big",
      `The store gave up (${message}). A shorter range or one service is less work.`,
      { actions: [{ label: "Last hour", kind: "lastHour", value: "" }, RETRY] },
    );
  }
  if (status === 400) return diagnosis("refused", "The store refused the question", message);
  return diagnosis("failed", "The store failed to answer", `${status}: ${message}`, {
    commands: [STATUS],
    actions: [RETRY],
  });
}

function fromInput({ interval, filterError }: Facts): Diagnosis | null {
  if (!interval) {
    return diagnosis(
      "bad-range",
      "The time range is not one",
      "A range needs a start before its end, such as now-1h and now.",
      { actions: [{ label: "Last hour", kind: "lastHour", value: "" }] },
    );
  }
  if (filterError === "") return null;
  return diagnosis("bad-filter", "The filter is incomplete", filterError, {
    actions: [{ label: "Clear the filter", kind: "clearFilter", value: "" }],
  });
}

function fromStats({ stats, interval, now }: Facts): Diagnosis | null {
  if (!stats || !interval) return null;
  if (!stats.ingested) {
    return diagnosis(
      "nothing-ever",
      "No profile has arrived yet",
      "The store runs and is empty. After a collector starts, the first profiles take one " +
        "collect interval (15 s by default), and appear here by themselves. If not, these say why:",
      {
        commands: [
          STATUS,
          DOCTOR,
          { command: "sudo stoker lab", tells: "profiles this whole host" },
        ],
      },
    );
  }
  const show: Action = { label: "Show the newest profiles", kind: "showNewest", value: "" };
  if (stats.oldest > now + SKEW_MS) {
    return diagnosis(
      "clock-ahead",
      "The profiles are from the future",
      `The oldest is ${formatSpan(stats.oldest - now)} ahead of this browser's clock. ` +
        "Compare the clocks of this machine and of the profiled hosts.",
      {
        commands: [{ command: "timedatectl", tells: "whether the clock is synchronised" }],
        actions: [show],
      },
    );
  }
  if (stats.newest < interval.start) {
    return diagnosis(
      "stopped",
      `Nothing has arrived for ${formatSpan(now - stats.newest)}`,
      `The newest profile is of ${formatMoment(stats.newest, now)}, before this range. ` +
        "If collection should be running, these say why it is not:",
      { commands: [STATUS, DOCTOR], actions: [show] },
    );
  }
  if (stats.oldest >= interval.end) {
    return diagnosis(
      "before-first",
      "This range is before the first profile",
      `The store's oldest profile is of ${formatMoment(stats.oldest, now)}; older ones were ` +
        "never taken or are past the retention.",
      { actions: [show] },
    );
  }
  return null;
}

function fromSelection(facts: Facts): Diagnosis | null {
  const { service, services, type, types, serviceTypes, filter } = facts;
  if (types.length === 0 && services.length === 0) {
    return diagnosis(
      "gap",
      "No profile in this range",
      "There are profiles before and after it: collection paused, or the host was off.",
      {
        commands: [STATUS],
        actions: [{ label: "Show the newest profiles", kind: "showNewest", value: "" }],
      },
    );
  }
  const all: Action = { label: "All services", kind: "allServices", value: "" };
  if (service !== "" && !services.includes(service)) {
    return diagnosis(
      "no-service",
      `${service} has no profiles in this range`,
      "It may have stopped, be named otherwise now, or no longer be among the collector's targets.",
      { commands: [STATUS], actions: [all] },
    );
  }
  const here = service === "" ? types : serviceTypes;
  if (type !== "" && !here.includes(type)) {
    const actions = here.slice(0, 4).map(
      (id): Action => ({
        label: id.split(":").slice(0, 2).join(" "),
        kind: "showType",
        value: id,
      }),
    );
    const owner = service === "" ? "The range" : service;
    return diagnosis(
      "no-type",
      "Not this profile type",
      `${owner} has no profiles of type ${type}, but of others:`,
      { actions },
    );
  }
  if (filter !== "") {
    return diagnosis(
      "filtered-out",
      "The filter leaves nothing",
      `No series has ${filter}. Without the filter there is data.`,
      { actions: [{ label: "Clear the filter", kind: "clearFilter", value: "" }] },
    );
  }
  return null;
}

function unknown(): Diagnosis {
  return diagnosis(
    "idle",
    "Profiles without a value",
    "There are profiles in this range, and they add up to zero: the service used none of this.",
  );
}
