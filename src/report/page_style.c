/* page_style.c - how a page looks, and the script that shows values under the pointer.
 *
 * Pictures are drawn in the colours of a white page; rules for those very colours give them others where the reader's screen is dark.
 * No < and no & stand in either text, so that the page is XML too. */
#include "report/page_parts.h"

enum { COLOURS = 8 };

/* Eight lines that colour-blind readers tell apart, with the dash at the latest; light and dark: on a white and on a dark page. */
static const struct Look { const char *light, *dark, *dash; } looks_of[COLOURS] = {
    {"#0072b2", "#56b4e9", "none"},    {"#d55e00", "#ff8f45", "7 4"}, {"#00845f", "#2fd0a0", "2 4"},         {"#a8478f", "#e79cd0", "9 3 2 3"},
    {"#9a6b00", "#f0c04a", "13 4"},    {"#5b4fc4", "#b0a6ff", "4 3"}, {"#c2334d", "#ff8f9f", "9 3 2 3 2 3"}, {"#3b7a1e", "#a6d96a", "1 4 7 4"},
};

static const char *const light[] = {
    ":root{color-scheme:light dark;--page:#fff;--panel:#fff;--ink:#1f2933;--soft:#56626d;--edge:#dde2e7;--tint:#f4f6f8;--link:#00609a;--good:#006b4d;",
    "--grid:#e7eaed;--axis:#aab3bb;--past:#55636f;--future:#fdf4ec;--split:#c9b8a8;", NULL};

static const char *const dark[] = {
    "--page:#12161a;--panel:#191e24;--ink:#e6eaee;--soft:#a3afba;--edge:#323a43;--tint:#20262d;--link:#7cc4f2;--good:#4fd3a5;",
    "--grid:#2b333b;--axis:#5d6873;--past:#a9b6c1;--future:#292420;--split:#6b5b4b;", NULL};

static const char *const rules[] = {
    "*{box-sizing:border-box}",
    "html{-webkit-text-size-adjust:100%;scroll-padding-top:4rem}",
    "body{margin:0 auto;max-width:1220px;padding:1.25rem 1rem 3rem;background:var(--page);color:var(--ink);line-height:1.5;",
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;overflow-wrap:anywhere}",
    "header p,footer p{margin:0;color:var(--soft);font-size:.875rem}",
    "h1{margin:.1rem 0 .6rem;font-size:1.75rem;line-height:1.2}",
    "h2{margin:2.25rem 0 .4rem;font-size:1.3rem}",
    "h2+p{margin:0 0 .9rem;color:var(--soft);max-width:70ch}",
    "h3{margin:1.2rem 0 .5rem;font-size:1rem}",
    "h3.run{display:flex;align-items:center;gap:.6rem}",
    "a{color:var(--link)}",
    ":focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:3px}",
    ".skip{position:absolute;left:-99rem}",
    ".skip:focus{left:1rem;top:.5rem;background:var(--page);padding:.4rem .8rem}",
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0;padding:.5rem 0;list-style:none;border-block:1px solid var(--edge)}",
    "nav a{display:inline-block;padding:.3rem 0}",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10.5rem),1fr));gap:.6rem;margin:.8rem 0 0}",
    ".tiles div{border:1px solid var(--edge);border-radius:8px;background:var(--panel);padding:.55rem .8rem;}",
    ".tiles dt{color:var(--soft);font-size:.8125rem;line-height:1.3}",
    ".tiles dd{margin:.15rem 0 0;font-size:1.0625rem;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}",
    ".tiles small{display:block;font-weight:400;font-size:.75rem;line-height:1.35;color:var(--soft)}",
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:1rem}",
    "figure{margin:0;border:1px solid var(--edge);border-radius:8px;background:var(--panel);padding:.75rem .8rem .5rem;min-width:0}",
    "figure.whole{grid-column:1/-1}",
    "figcaption h3{margin:0;font-size:1rem;line-height:1.3}",
    "figcaption p{margin:.1rem 0 .5rem;color:var(--soft);font-size:.8125rem;line-height:1.35;min-height:1.35em}",
    ".sample h3{font-size:.9375rem}",
    ".plot{position:relative}",
    ".plot svg{display:block;width:100%;height:auto;overflow:visible;stroke-linecap:butt;stroke-linejoin:round}",
    ".plot.wide{display:none}",
    "@media (min-width:760px){.plot.wide{display:block}.plot.narrow{display:none}}",
    ".legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.45rem 0 .2rem;padding:0;list-style:none;font-size:.8125rem;color:var(--soft)}",
    ".legend li{display:flex;align-items:center;gap:.4rem}",
    ".swatch{flex:none;display:inline-block;width:30px;height:8px;stroke-width:2.6;vertical-align:middle}",
    "th .swatch{margin-right:.5rem}",
    ".pick{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:0 0 1rem;border:0;border-block:1px solid var(--edge);padding:.45rem 0;background:var(--page)}",
    ".pick legend{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}",
    ".pick label{display:flex;align-items:center;gap:.45rem;padding:.2rem 0;cursor:pointer}",
    ".pick input{width:1.1rem;height:1.1rem;margin:0;accent-color:var(--link)}",
    "details{margin:.35rem 0 .25rem}",
    "summary{cursor:pointer;color:var(--link);font-size:.8125rem;width:fit-content;padding:.2rem 0}",
    "section>details>summary{font-size:1rem;margin-top:.8rem}",
    ".scroll{overflow-x:auto;max-width:100%}",
    "figure .scroll{max-height:20rem;overflow:auto}",
    "table{border-collapse:separate;border-spacing:0;font-size:.875rem;font-variant-numeric:tabular-nums}",
    "caption{text-align:left;color:var(--soft);font-size:.8125rem;padding:.2rem 0}",
    "th,td{text-align:left;vertical-align:top;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--edge);font-weight:400}",
    "thead th,thead td{font-weight:600;border-bottom:2px solid var(--axis)}",
    "table.runs td{min-width:7rem;max-width:24rem}",
    "table.runs thead th{min-width:7rem;max-width:13rem}",
    "table.runs th[scope=row],table.runs td.corner{position:sticky;left:0;background:var(--page);min-width:12.5rem;max-width:14rem;color:var(--soft)}",
    "@media (max-width:480px){table.runs td,table.runs thead th{min-width:6.2rem}table.runs th[scope=row],table.runs td.corner{min-width:7.4rem}th,td{padding-right:.6rem}th .swatch{display:block;margin:.3rem 0}}",
    "figure td,figure thead th+th{text-align:right;padding-left:.9rem}",
    "figure th[scope=row]{color:var(--soft)}",
    "table.runs th.sub{padding-left:1rem}",
    ".best{color:var(--good)}",
    ".best span{font-size:.75rem}",
    ".preset{color:var(--soft)}",
    ".note{border-left:3px solid var(--axis);background:var(--tint);margin:.6rem 0;padding:.45rem .8rem;font-size:.9375rem}",
    ".notices{margin:.4rem 0;padding-left:1.2rem;font-size:.9375rem}",
    "footer{margin-top:2.5rem;border-top:1px solid var(--edge);padding-top:.6rem}",
    ".read{position:absolute;top:0;z-index:1;max-width:75%;padding:.3rem .6rem;border:1px solid var(--edge);border-radius:6px;background:var(--page);font-size:.8125rem;line-height:1.4;pointer-events:none;",
    "font-variant-numeric:tabular-nums}",
    ".cursor{stroke:var(--soft);stroke-width:1}",
    ".plot text{fill:var(--soft)}",
    "[stroke='#e7eaed']{stroke:var(--grid)}",
    "[stroke='#aab3bb']{stroke:var(--axis)}",
    "[stroke='#55636f'],.ph line{stroke:var(--past)}",
    "[stroke='#0072b2'],.pt line{stroke:var(--k0);stroke-dasharray:6 3}",
    "[stroke='#d55e00'],.pf line{stroke:var(--k1);stroke-width:2.4}",
    "[stroke='#c9b8a8']{stroke:var(--split)}",
    "[fill='#fdf4ec']{fill:var(--future)}",
    "[fill='#55636f']{fill:var(--past)}",
    "[fill='#0072b2']{fill:var(--k0)}",
    "[fill='#d55e00']{fill:var(--k1)}",
    ".kg polyline{stroke:var(--soft)}",
    NULL};

static const char *const print[] = {
    "@media print{@page{margin:14mm}body{max-width:none;padding:0 1px;font-size:10pt}nav,.skip,.pick input,figure details{display:none}.pick{position:static}",
    "section>details:not([open]){display:none}.grid{grid-template-columns:1fr 1fr;gap:.6rem}figure,.tiles div,tr{break-inside:avoid}h2,h3,.note,section>p,.legend{break-after:avoid}",
    ".plot.wide{display:block}.plot.narrow{display:none}.scroll{overflow:visible}table.runs td,table.runs thead th{min-width:0}}\n", NULL};

static const char *const script[] = {
    "document.querySelectorAll('.plot').forEach(function (plot) {",
    "  var svg = plot.querySelector('svg'), figure = plot.closest('figure'), at = -1;",
    "  var x = plot.dataset.x.split(' ').map(Number), from = Number(plot.dataset.from), to = Number(plot.dataset.to);",
    "  var heads = Array.from(figure.querySelectorAll('thead th')).map(function (h) { return h.textContent; });",
    "  var rows = Array.from(figure.querySelectorAll('tbody tr'));",
    "  var steps = rows.map(function (r) { return Number(r.cells[0].textContent.replace(/,/g, '')); });",
    "  var line = svg.appendChild(document.createElementNS(svg.namespaceURI, 'line'));",
    "  var box = plot.appendChild(document.createElement('div'));",
    "  if (!rows.length) return;",
    "  line.setAttribute('class', 'cursor');",
    "  line.setAttribute('y2', svg.viewBox.baseVal.height - 24);",
    "  box.className = 'read';",
    "  box.setAttribute('aria-live', 'polite');",
    "  svg.setAttribute('tabindex', '0');",
    "  function hide() { box.hidden = true; line.style.display = 'none'; }",
    "  function show(i) {",
    "    at = Math.max(0, Math.min(rows.length - 1, i));",
    "    var px = to > from ? x[0] + (x[1] - x[0]) * (steps[at] - from) / (to - from) : (x[0] + x[1]) / 2;",
    "    line.setAttribute('x1', px);",
    "    line.setAttribute('x2', px);",
    "    line.style.display = '';",
    "    box.textContent = heads[0] + ' ' + rows[at].cells[0].textContent;",
    "    Array.from(rows[at].cells).slice(1).forEach(function (cell, k) {",
    "      if (!cell.textContent || getComputedStyle(cell).display === 'none') return;",
    "      box.appendChild(document.createElement('div')).textContent = heads[k + 1] + ': ' + cell.textContent;",
    "    });",
    "    box.style.left = px > x[2] / 2 ? '0' : 'auto';",
    "    box.style.right = px > x[2] / 2 ? 'auto' : '0';",
    "    box.hidden = false;",
    "  }",
    "  function nearest(step) {",
    "    return steps.reduce(function (best, s, i) { return Math.abs(steps[best] - step) > Math.abs(s - step) ? i : best; }, 0);",
    "  }",
    "  svg.addEventListener('pointermove', function (e) {",
    "    var r = svg.getBoundingClientRect();",
    "    show(nearest(from + ((e.clientX - r.left) / r.width * x[2] - x[0]) / (x[1] - x[0]) * (to - from)));",
    "  });",
    "  svg.addEventListener('pointerleave', hide);",
    "  svg.addEventListener('blur', hide);",
    "  svg.addEventListener('focus', function () { if (svg.matches(':focus-visible')) show(at >= 0 ? at : rows.length - 1); });",
    "  svg.addEventListener('keydown', function (e) {",
    "    var to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1, Escape: -1}[e.key];",
    "    if (to === undefined) return;",
    "    e.preventDefault();",
    "    if (e.key === 'Escape') hide(); else show(to);",
    "  });",
    "  hide();",
    "});",
    NULL};

static void put_lines(Str *html, const char *const *line, const char *end)
{
    for (; *line; line++) str_addf(html, "%s%s", *line, end);
}

static void put_colours(Str *html, int is_dark)
{
    for (int i = 0; i < COLOURS; i++) str_addf(html, "--k%d:%s;", i, is_dark ? looks_of[i].dark : looks_of[i].light);
}

/* From the ninth look on colours come again, with other dashes. */
static void put_look(Str *html, int look)
{
    int colour = look % COLOURS;
    str_addf(html, ".k%d polyline,.k%d line{stroke:var(--k%d);stroke-dasharray:%s}.k%d circle{fill:var(--k%d)}\n", look, look, colour,
             looks_of[(look + look / COLOURS) % COLOURS].dash, look, colour);
    str_addf(html, "body:has(#run%d:not(:checked)) .r%d{display:none}\n", look, look);
}

void page_style(Str *html, int looks)
{
    put_lines(html, light, "");
    put_colours(html, 0);
    str_addf(html, "}\n@media screen and (prefers-color-scheme:dark){:root{");
    put_lines(html, dark, "");
    put_colours(html, 1);
    str_addf(html, "}}\n");
    put_lines(html, rules, "\n");
    for (int i = 0; i < looks; i++) put_look(html, i);
    str_addf(html, ".raw polyline{stroke-opacity:.28;stroke-width:1;stroke-dasharray:none}\n");
    str_addf(html, ".base polyline{stroke-dasharray:1 3}.base circle{display:none}[id^=experts] .raw polyline{stroke-opacity:.13}\n");
    put_lines(html, print, "");
}

void page_script(Str *html) { put_lines(html, script, "\n"); }
