// What each key does. The `?` sheet is made of the same list.

import { exactly } from "./model/search";
import type { ViewState } from "./model/view_state";
import type { Controls } from "./view/controls";
import type { Downloads } from "./view/downloads";
import type { Health } from "./view/health";
import { zoomsOf, type ProfilePanel } from "./view/profile_panel";
import { earlier, later, wider } from "./view/range_control";
import type { ServiceList } from "./view/service_list";
import type { Shortcut, ShortcutGroup } from "./view/shortcuts";
import type { TimelineView } from "./view/timeline";

// What the keys of a report act on.
export interface ProfileTargets {
  state: () => ViewState;
  set: (patch: Partial<ViewState>) => void;
  panel: ProfilePanel;
  downloads: Downloads;
  nextTheme: () => void;
  copy: (text: string) => void;
  showSheet: () => void;
}

// And of the page.
export interface KeyTargets extends ProfileTargets {
  controls: Controls;
  services: ServiceList;
  timeline: TimelineView;
  health: Health;
  copyLink: () => void;
  swap: () => void;
}

const LIVE_SECONDS = 15;

export function keyGroups(targets: KeyTargets): ShortcutGroup[] {
  return [
    { title: "Frame", shortcuts: frameKeys(targets) },
    { title: "View", shortcuts: [...viewKeys(targets), ...diffKeys(targets)] },
    { title: "Go to", shortcuts: [...placeKeys(targets), ...profilePlaceKeys(targets)] },
    { title: "Time and files", shortcuts: [...timeKeys(targets), ...fileKeys(targets)] },
  ];
}

export function reportKeyGroups(targets: ProfileTargets): ShortcutGroup[] {
  return [
    { title: "Frame", shortcuts: frameKeys(targets) },
    { title: "View", shortcuts: viewKeys(targets) },
    { title: "Go to", shortcuts: [...profilePlaceKeys(targets), ...fileKeys(targets)] },
  ];
}

const key = (name: string, text: string, run: () => void): Shortcut => ({ key: name, text, run });

// They act on the frame that the details name: the one pointed at, else the selected one.
function frameKeys({ state, set, panel, copy }: ProfileTargets): Shortcut[] {
  const onFrame = (name: string, text: string, run: (frame: string) => void): Shortcut =>
    key(name, text, () => {
      if (panel.frameName !== "") run(panel.frameName);
    });
  return [
    onFrame("f", "focus: only stacks through the frame", (focus) => set({ focus, zoom: "" })),
    onFrame("x", "ignore: without stacks through it", (name) => set({ ignore: name, zoom: "" })),
    onFrame("s", "sandwich", (name) => panel.openSandwich(name)),
    onFrame("h", "find all of its name", (name) => set({ search: exactly(name) })),
    onFrame("c", "copy its name", copy),
    key("Esc", "undo zoom, then search, focus, ignore", () => {
      const others = (["search", "focus", "ignore"] as const).filter((k) => state()[k] !== "");
      const [undone] = [...zoomsOf(state()), ...others];
      if (undone) set({ [undone]: "" });
    }),
  ];
}

function viewKeys({ state, set, nextTheme }: ProfileTargets): Shortcut[] {
  return [
    key("1", "flame graph", () => set({ view: "flame" })),
    key("2", "both", () => set({ view: "both" })),
    key("3", "table", () => set({ view: "table" })),
    key("4", "sandwich", () => set({ view: "sandwich" })),
    key("i", "invert", () => set({ inverted: !state().inverted, zoom: "" })),
    key("r", "collapse recursion", () => set({ collapsed: !state().collapsed, zoom: "" })),
    key("m", "colour by module or name", () =>
      set({ colours: state().colours === "module" ? "name" : "module" }),
    ),
    key("b", "light, dark or the system's theme", nextTheme),
  ];
}

function diffKeys({ state, set, swap }: KeyTargets): Shortcut[] {
  return [
    key("n", "equal weight of both sides", () => set({ normalise: !state().normalise })),
    key("u", "swap the sides of a diff", () => {
      if (state().compare !== "none") swap();
    }),
  ];
}

function profilePlaceKeys({ panel }: ProfileTargets): Shortcut[] {
  return [
    key("/", "search", () => panel.focusSearch()),
    key("w", "flame graph", () => panel.focusFlame()),
    key("j", "table of functions", () => panel.focusTable()),
  ];
}

function placeKeys({ controls, services, timeline, health }: KeyTargets): Shortcut[] {
  return [
    key("l", "label filter", () => controls.filter.focus()),
    key("e", "services", () => services.focus()),
    key("p", "profile type", () => controls.focusType()),
    key("g", "split by a label", () => controls.focusGroup()),
    key("d", "compare", () => controls.focusCompare()),
    key("t", "time range", () => controls.range.edit()),
    key("a", "timeline", () => timeline.focus()),
    key("k", "what is wrong with this host", () => health.open()),
  ];
}

function timeKeys({ state, set, controls, copyLink }: KeyTargets): Shortcut[] {
  return [
    key(",", "earlier", () => controls.range.move(earlier)),
    key(".", "later", () => controls.range.move(later)),
    key("-", "longer range", () => controls.range.move(wider)),
    key("v", "live refresh on or off", () =>
      set({ refresh: state().refresh === 0 ? LIVE_SECONDS : 0 }),
    ),
    key("y", "copy the link", copyLink),
  ];
}

function fileKeys({ downloads, showSheet }: ProfileTargets): Shortcut[] {
  return [key("o", "download", () => downloads.open()), key("?", "this sheet", showSheet)];
}
