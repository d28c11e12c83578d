// Everything shown is set as text or attribute, never parsed as HTML.

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Text is replaced only when it changed, so that it can be selected and read aloud.
export function text(id, value) {
  const at = byId(id);
  if (at.textContent !== value) at.textContent = value;
}

// Long names break after a separator, not in the middle of a word.
export const breakable = (name) =>
  String(name)
    .split(/(?<=[_.:\/-])/)
    .flatMap((part) => [element("wbr"), part]);

const written = new WeakMap();

// Nodes are kept by key and changed only where their item did: focus stays, and what is open is open.
export function keyed(parent, items, key, make, change) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const name = key(item);
    const content = JSON.stringify(item);
    const node = old.get(name) ?? make(item);
    node.dataset.key = name;
    if (written.get(node) !== content) change(node, item);
    written.set(node, content);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
    old.delete(name);
  });
  for (const node of old.values()) node.remove();
}

// Terms and their values, as a definition list.
export function facts(id, pairs) {
  keyed(
    byId(id),
    pairs.filter(Boolean),
    ([term]) => term,
    ([term]) => element("div", {}, element("dt", {}, term), element("dd")),
    (node, [, value, level]) => {
      node.lastChild.replaceChildren(...breakable(value));
      node.lastChild.className = level ?? "";
    },
  );
}
