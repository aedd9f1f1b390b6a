// layout.js - put at the end of a page of a report, it tells the page around it what is wrong with how the page looks: wider than
// the screen, text on text, text too small to read, pictures without a line, colours too close to their background. "fine" if nothing is.
(function () {
  var wrong = [], body = document.body;
  function say(what, node) { wrong.push(what + ": " + (node.textContent || node.id || node.tagName).replace(/\s+/g, " ").trim().slice(0, 40)); }

  if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the screen: " + document.documentElement.scrollWidth + " > " + innerWidth);

  // Boxes of all text that is seen. What scrolls by itself may be cut off; a legend that scripts read aloud alone is none.
  var boxes = [], walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT), node;
  while ((node = walker.nextNode())) {
    var parent = node.parentElement, style = getComputedStyle(parent);
    if (!node.data.trim() || /^(SCRIPT|STYLE)$/i.test(parent.tagName) || parent.closest(".pick legend, .skip, title, desc") || !parent.checkVisibility()) continue;
    var range = document.createRange();
    range.selectNodeContents(node);
    var scale = parent.ownerSVGElement ? parent.getScreenCTM().a : 1;
    if (parseFloat(style.fontSize) * scale < 9.5) say("text of " + (parseFloat(style.fontSize) * scale).toFixed(1) + " px", node);
    Array.from(range.getClientRects()).forEach(function (r) {
      if (r.width < 1 || r.height < 1) return;
      if (!parent.closest(".scroll") && (r.left < -0.5 || r.right > innerWidth + 0.5)) say("beyond the edge", node);
      // Half the height of the line: letters of two lines that are set tightly may have boxes that touch.
      boxes.push({left: r.left + 1, right: r.right - 1, top: r.top + r.height / 4, bottom: r.bottom - r.height / 4, node: node});
    });
  }
  boxes.sort(function (a, b) { return a.top - b.top; });
  boxes.forEach(function (a, i) {
    for (var k = i + 1; k < boxes.length && boxes[k].top < a.bottom; k++) {
      var b = boxes[k], scroll = a.node.parentElement.closest(".scroll");
      if (scroll && scroll === b.node.parentElement.closest(".scroll") && a.node.parentElement.closest("th[scope=row]") !== b.node.parentElement.closest("th[scope=row]")) continue;
      if (a.left < b.right && b.left < a.right) say("on '" + b.node.data.trim().slice(0, 20) + "'", a.node);
    }
  });

  document.querySelectorAll(".plot svg").forEach(function (svg) {
    if (!svg.checkVisibility()) return;
    var seen = Array.from(svg.querySelectorAll("g polyline, g circle, polyline:not([stroke='#e7eaed']):not([stroke='#aab3bb'])")).some(function (line) {
      var r = line.getBoundingClientRect();
      return r.width + r.height > 2;
    });
    if (!seen) say("an empty picture", svg);
    if (svg.getBoundingClientRect().height < 100) say("a flat picture", svg);
  });

  // Contrast of text and lines with what lies behind them, as WCAG counts it: 4.5 for text, 3 for lines.
  function light(rgb) {
    var c = rgb.match(/[\d.]+/g).slice(0, 3).map(function (x) { x /= 255; return x <= 0.04045 ? x / 12.92 : Math.pow((x + 0.055) / 1.055, 2.4); });
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
  }
  function contrast(a, b) { var x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); }
  function behind(element) {
    for (; element; element = element.parentElement) {
      var c = getComputedStyle(element).backgroundColor;
      if (!/rgba\(.*, 0\)/.test(c) && c !== "transparent") return c;
    }
    return "rgb(255, 255, 255)";
  }
  document.querySelectorAll("p, h1, h2, h3, a, dt, dd, small, th, td, summary, li, label, .plot text").forEach(function (t) {
    if (!t.checkVisibility() || !t.textContent.trim()) return;
    var c = t.ownerSVGElement ? getComputedStyle(t).fill : getComputedStyle(t).color;
    if (contrast(c, behind(t)) < 4.5) say("contrast of text " + contrast(c, behind(t)).toFixed(1), t);
  });
  document.querySelectorAll("g[class^=k]:not(.raw) polyline").forEach(function (line) {
    var c = getComputedStyle(line).stroke;
    if (line.checkVisibility() && contrast(c, behind(line)) < 3) say("contrast of a line " + contrast(c, behind(line)).toFixed(1), line.parentElement);
  });

  var dark = matchMedia("(prefers-color-scheme: dark)").matches ? ", dark" : "";
  window.parent.postMessage(innerWidth + " px" + dark + ": " + (Array.from(new Set(wrong)).join("; ").replace(/[<>&"]/g, " ") || "fine"), "*");
})();
