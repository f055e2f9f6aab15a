// Making elements without markup in strings: text is always text.

const nodes = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

const SPACE = "http://www.w3.org/2000/svg";

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
}

// put these in the place of all that an element holds
export const fill = (root, ...children) => root.replaceChildren(...nodes(children));

export const $ = (id) => document.getElementById(id);
