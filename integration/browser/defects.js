() => {
  const found = [];
  const describe = (e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 160);
  const words = (e) => (e?.textContent ?? "").replace(/\s+/g, " ").trim();
  const all = (selector) => [...document.querySelectorAll(selector)];

  // The frame of the page.
  if (all("h1").length !== 1) found.push(`${all("h1").length} headings h1`);
  if (all("main").length !== 1) found.push("not a single main");
  if (!document.title.trim()) found.push("no title");
  if (!document.documentElement.lang) found.push("no language");
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push(`the id ${id} is there twice`);
  for (const attribute of ["aria-describedby", "aria-labelledby"]) {
    for (const e of all(`[${attribute}]`)) {
      for (const id of e.getAttribute(attribute).split(/\s+/)) {
        if (!words(document.getElementById(id))) found.push(`${attribute} leads to no text: ${describe(e)}`);
      }
    }
  }

  // Names of controls. A placeholder is no name.
  const given = (e) => (e.getAttribute("aria-label") ?? "").trim() || (e.getAttribute("aria-labelledby") ?? "").trim();
  for (const e of all("input:not([type=hidden]), select, textarea")) {
    if (e.getAttribute("aria-hidden") === "true" && e.tabIndex < 0) continue;
    if (!given(e) && ![...(e.labels ?? [])].some(words)) found.push(`no label: ${describe(e)}`);
  }
  for (const e of all("a[href], button, summary")) if (!given(e) && !words(e)) found.push(`no name: ${describe(e)}`);
  for (const e of all("meter, nav, [role=search]")) if (!given(e)) found.push(`no name: ${describe(e)}`);
  for (const e of all("section")) if (!given(e)) found.push(`no name: ${describe(e)}`);

  // Tables: columns have names, and a narrow window shows them in front of each cell.
  for (const e of all("thead th")) if (e.scope !== "col" || !words(e)) found.push(`no column: ${describe(e)}`);
  for (const e of all("tbody td, tbody th")) if (!e.dataset.label) found.push(`no data-label: ${describe(e)}`);

  // Nothing sticks out of the window.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const wide = all("body *").filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > width + 1 && !e.classList.contains("hidden"));
    found.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}: ${wide.slice(0, 3).map(describe).join(" | ")}`);
  }

  // Contrast of texts (WCAG 2.2, 1.4.3): 4.5, large texts 3.
  const parse = (color) => {
    const n = color.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return { rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1 };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(e).backgroundColor);
      if (alpha > 0.99) return rgb;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest(".hidden, .skip, meter, option")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color).rgb), light(ground(e))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) poor.add(`contrast ${((a + 0.05) / (b + 0.05)).toFixed(1)}: ${describe(e)}`);
  }
  return [...found, ...poor];
}
