// Returns every text that stands out too little from what is behind it: below 4.5:1, or 3:1 for large text
// (WCAG 2.2, 1.4.3). Colours are painted on a canvas, which knows every notation and blends what is transparent.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const parent = (node) => node.parentElement ?? (node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null);
  const luminance = () => {
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paint = (colour, opacity = 1) => {
    canvas.globalAlpha = opacity;
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  };
  const ratio = (node) => {
    const chain = [];
    let opacity = 1;
    for (let up = node; up; up = parent(up)) {
      chain.unshift(getComputedStyle(up).backgroundColor);
      opacity *= Number(getComputedStyle(up).opacity);
    }
    paint("#fff");
    chain.forEach((colour) => paint(colour));
    const back = luminance();
    opacity *= Number(getComputedStyle(node).fillOpacity ?? 1);
    if (!opacity) return Infinity; // not there to be read
    paint(node instanceof SVGElement ? getComputedStyle(node).fill : getComputedStyle(node).color, opacity);
    const front = luminance();
    return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  };
  // Icons are letters of a font: they count as graphics, like large text.
  const large = (style) => style.fontFamily.includes("Material Symbols") || parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  const visit = (root, found) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) visit(node.shadowRoot, found);
      const own = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim());
      const style = getComputedStyle(node);
      const box = node.getBoundingClientRect();
      const disabled = node.closest("[disabled], [aria-disabled=true]");
      if (!own || disabled || !box.width || !box.height || style.visibility === "hidden" || ["STYLE", "SCRIPT"].includes(node.tagName)) continue;
      const value = ratio(node);
      if (value < (large(style) ? 3 : 4.5)) found.push(`${value.toFixed(2)} ${node.tagName}.${node.getAttribute("class")}: ${node.textContent.trim().slice(0, 50)}`);
    }
    return found;
  };
  return visit(document, []);
};
