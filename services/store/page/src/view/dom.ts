// Making elements. Styles come from the style sheet; the page's policy forbids inline ones.

type Child = Element | string | null;
type Attributes = Record<string, string | number | boolean | null | EventListener>;

// An element with attributes, listeners (`onclick` …) and children. A false or null attribute is
// left out, a true one is empty.
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child): child is Element | string => child !== null));
  return element;
}

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child): child is Element | string => child !== null));
  return element;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
}

export function button(
  label: string,
  run: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  return h("button", { type: "button", onclick: () => run(), ...attributes }, label);
}

const keyOf = (element: HTMLElement): string => element.dataset.key ?? element.textContent ?? "";

// Replaces the children of `parent`. When a button below it had the focus, the one that now has the
// same `data-key` or text gets it: a refresh must not throw a keyboard user out.
export function refill(parent: HTMLElement, ...children: Element[]): void {
  const active = document.activeElement;
  const key = active instanceof HTMLElement && parent.contains(active) ? keyOf(active) : null;
  parent.replaceChildren(...children);
  if (key === null) return;
  const buttons = [...parent.querySelectorAll<HTMLElement>("button")];
  buttons.find((b) => keyOf(b) === key)?.focus({ preventScroll: true });
}

export interface Option {
  value: string;
  label: string;
}

// Sets a select's options and value; leaves an open list alone when nothing changed.
export function setOptions(select: HTMLSelectElement, options: Option[], value: string): void {
  const wanted = options.some((o) => o.value === value)
    ? options
    : [...options, { value, label: value || "–" }];
  const same =
    select.options.length === wanted.length &&
    wanted.every(
      (o, i) => select.options[i].value === o.value && select.options[i].text === o.label,
    );
  if (!same) {
    select.replaceChildren(...wanted.map((o) => h("option", { value: o.value }, o.label)));
  }
  select.value = value;
}

// A select with a visible label in front.
export function labelled(text: string, control: HTMLElement): HTMLLabelElement {
  return h("label", { class: "field" }, h("span", {}, text), control);
}

export function toggle(element: Element, attribute: string, on: boolean): void {
  if (on) element.setAttribute(attribute, "");
  else element.removeAttribute(attribute);
}
