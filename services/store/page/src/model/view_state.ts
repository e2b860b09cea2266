// Everything that decides what the page shows, and its form in the URL: a copied link shows the
// same view in another browser.

export type View = "flame" | "both" | "table" | "sandwich";
export type Compare = "none" | "before" | "range" | "labels";

export interface ViewState {
  service: string;
  filter: string;
  type: string;
  from: string;
  until: string;
  // Seconds between refreshes of a range that ends now; 0: never.
  refresh: number;
  groupBy: string;
  view: View;
  search: string;
  // Path key of the zoomed node; empty: the root.
  zoom: string;
  // The same in the halves of the sandwich.
  callerZoom: string;
  calleeZoom: string;
  focus: string;
  ignore: string;
  sandwich: string;
  // The table's column, with `-` in front for the smallest first; empty: the usual one.
  sort: string;
  inverted: boolean;
  collapsed: boolean;
  colours: "module" | "name";
  compare: Compare;
  // The baseline of a diff: a range and a selection of its own.
  baseFrom: string;
  baseUntil: string;
  baseService: string;
  baseFilter: string;
  normalise: boolean;
}

export const DEFAULT_STATE: ViewState = {
  service: "",
  filter: "",
  type: "",
  from: "now-15m",
  until: "now",
  refresh: 15,
  groupBy: "",
  view: "both",
  search: "",
  zoom: "",
  callerZoom: "",
  calleeZoom: "",
  focus: "",
  ignore: "",
  sandwich: "",
  sort: "",
  inverted: false,
  collapsed: false,
  colours: "module",
  compare: "none",
  baseFrom: "",
  baseUntil: "",
  baseService: "",
  baseFilter: "",
  normalise: true,
};

const CHOICES: Partial<Record<keyof ViewState, string[]>> = {
  view: ["flame", "both", "table", "sandwich"],
  colours: ["module", "name"],
  compare: ["none", "before", "range", "labels"],
};

// The state of a URL's query part. Unknown keys and values outside their choice are left out, so
// that a link from another version still opens.
export function parseState(query: string): ViewState {
  const state: Record<string, unknown> = { ...DEFAULT_STATE };
  for (const [key, text] of new URLSearchParams(query)) {
    if (!(key in DEFAULT_STATE)) continue;
    const value = parseValue(key as keyof ViewState, text);
    if (value !== undefined) state[key] = value;
  }
  return state as unknown as ViewState;
}

function parseValue(key: keyof ViewState, text: string): unknown {
  const fallback = DEFAULT_STATE[key];
  if (typeof fallback === "boolean") return text === "true";
  if (typeof fallback === "number") {
    const number = Number(text);
    return Number.isFinite(number) && number >= 0 ? number : undefined;
  }
  const choices = CHOICES[key];
  return !choices || choices.includes(text) ? text : undefined;
}

// Only what differs from the defaults, so that links stay short.
export function formatState(state: ViewState): string {
  const params = new URLSearchParams();
  for (const key of Object.keys(DEFAULT_STATE) as Array<keyof ViewState>) {
    if (state[key] !== DEFAULT_STATE[key]) params.set(key, String(state[key]));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

// Which of two states need other data from the store.
const QUERY_KEYS: Array<keyof ViewState> = [
  "service",
  "filter",
  "type",
  "from",
  "until",
  "groupBy",
  "compare",
  "baseFrom",
  "baseUntil",
  "baseService",
  "baseFilter",
];

// The part of a view that is of one profile, and no question to the store.
export function reportable(state: ViewState): Partial<ViewState> {
  const { view, search, focus, ignore, sandwich, sort, inverted, collapsed, colours } = state;
  const { zoom, callerZoom, calleeZoom } = state;
  return {
    ...{ view, search, focus, ignore, sandwich, sort, inverted, collapsed, colours },
    ...{ zoom, callerZoom, calleeZoom },
  };
}

export function needsData(before: ViewState, after: ViewState): boolean {
  return QUERY_KEYS.some((key) => before[key] !== after[key]);
}
