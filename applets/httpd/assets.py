"""The page's style sheet, script and sign: small, our own, and complete without any other server."""

from __future__ import annotations

CSS = """
:root {
  --back: #f4f5f3; --card: #fff; --line: #dfe3dc; --text: #1c231d; --quiet: #5d6a5f;
  --good: #23803c; --bad: #b3261e; --busy: #946200; --off: #6b746c; --main: #1f6b3a; --log: #fafbf9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #121512; --card: #1c211d; --line: #313a33; --text: #e6ebe6; --quiet: #9aa79c;
    --good: #66c283; --bad: #ff8a80; --busy: #e5b653; --off: #8b968d; --main: #66c283; --log: #161a17;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, sans-serif; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
h1, h2, h3, p, ul, ol, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 1.25rem; line-height: 1.2; } h1 a { text-decoration: none; }
h2 { font-size: 1.1rem; margin: 1.75rem 0 .6rem; }
h3 { font-size: 1rem; }
header { background: var(--card); border-bottom: 1px solid var(--line); }
.bar, main { max-width: 64rem; margin: 0 auto; padding: .8rem 1rem; }
.bar { display: flex; gap: .8rem; align-items: center; }
.who { flex: 1; min-width: 0; }
.who p, .quiet, small, .since, .count { color: var(--quiet); font-size: .85rem; }
.live { font-size: .85rem; color: var(--good); white-space: nowrap; }
.live::before { content: "● "; } .live.lost { color: var(--bad); }
button { font: inherit; font-size: .9rem; padding: .3rem .8rem; border: 1px solid var(--line);
  border-radius: .45rem; background: var(--card); color: var(--text); cursor: pointer; }
button:hover { border-color: var(--quiet); }
button:focus-visible, a:focus-visible, input:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
button.main { background: var(--main); border-color: var(--main); color: var(--card); font-weight: 600; }
button.danger { color: var(--bad); }
article, .tile, dl { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; }
.services { display: grid; gap: .6rem; grid-template-columns: minmax(0, 1fr); }
article { padding: .7rem .9rem; min-width: 0; }
.heading { display: flex; flex-wrap: wrap; gap: .3rem .7rem; align-items: center; }
.heading h2 { margin: 0; font-size: 1.4rem; }
.actions { margin-left: auto; display: flex; gap: .4rem; }
.state { font-size: .85rem; font-weight: 600; white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: .6rem; height: .6rem; margin-right: .4rem;
  border-radius: 50%; background: currentColor; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); } .off { color: var(--off); }
.status { color: var(--quiet); font-size: .9rem; }
.tail { margin-top: .35rem; font: .8rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; color: var(--quiet); }
.tail div { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.tail:empty { display: none; }
.tiles { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
.tile { padding: .7rem .9rem; }
.tile h3 { font-size: .85rem; font-weight: 500; color: var(--quiet); overflow-wrap: anywhere; }
.tile p { font-size: 1.35rem; font-weight: 600; line-height: 1.3; }
.tile ul { list-style: none; font: .85rem/1.6 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; overflow-wrap: anywhere; }
.tile.wide { grid-column: span 2; }
meter { width: 100%; height: .6rem; display: block; margin: .1rem 0 .2rem; border: 0; border-radius: .3rem;
  background: var(--line); overflow: hidden; }
meter::-webkit-meter-bar { background: var(--line); border: 0; border-radius: .3rem; height: .6rem; }
meter::-webkit-meter-optimum-value { background: var(--good); }
meter::-webkit-meter-suboptimum-value { background: var(--busy); }
meter::-webkit-meter-even-less-good-value { background: var(--bad); }
meter::-moz-meter-bar { background: var(--good); }
meter:-moz-meter-sub-optimum::-moz-meter-bar { background: var(--busy); }
meter:-moz-meter-sub-sub-optimum::-moz-meter-bar { background: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; padding: .7rem .9rem; margin: .8rem 0; }
dt { color: var(--quiet); } dd { overflow-wrap: anywhere; }
code, .log { font: .85rem/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.log { list-style: none; background: var(--log); border: 1px solid var(--line); border-radius: .7rem;
  padding: .6rem .8rem; overflow: auto; max-height: 75vh; }
.log:empty::after { content: "Nothing was logged yet."; color: var(--quiet); }
.log li { white-space: pre-wrap; overflow-wrap: anywhere; } .log time { color: var(--quiet); }
.problem, .wrong { color: var(--bad); border: 1px solid currentColor; border-radius: .7rem; padding: .6rem .9rem; }
.back { margin: .3rem 0 .8rem; }
footer { margin: 1.75rem 0; display: flex; flex-wrap: wrap; gap: .6rem 2rem; }
summary { cursor: pointer; } details form { display: flex; gap: .5rem; margin-top: .5rem; }
.login { max-width: 22rem; padding-top: 14vh; text-align: center; }
.login form { display: grid; gap: .6rem; margin: 1.2rem 0; text-align: left; }
.login input { font: inherit; padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .45rem;
  background: var(--card); color: var(--text); width: 100%; }
.login button { padding: .55rem; } .login .wrong { margin-top: 1rem; }
@media (max-width: 36rem) {
  .live { font-size: 0; } .live::before { font-size: .9rem; }
  .actions button { padding: .45rem .7rem; }
  .tiles { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
"""

JS = """
'use strict';
const live = document.getElementById('live');
// A login's pages lie under a secret path, and its cookie goes there only.  It is kept where other ports of this host
// cannot read it, so that the plain address leads there too.
function remember() {
  const own = location.pathname.match(/^\\/~[0-9a-f]+(?=\\/)/);
  const kept = localStorage.getItem('pages');
  if (own) localStorage.setItem('pages', own[0] + '/');
  else if (location.search === '?ended') localStorage.removeItem('pages');
  else if (kept && location.pathname === '/login' && !document.querySelector('.wrong')) location.replace(kept);
}
try { remember(); } catch (error) { /* a browser may forbid it: then the address has to be kept otherwise */ }
function state(good) {
  live.hidden = false;
  live.textContent = good ? 'live' : 'connection lost';
  live.classList.toggle('lost', !good);
}
function watch(address, take) {
  let source = null, last = null;
  function open() {
    source = new EventSource(address(last));
    source.onopen = () => state(true);
    source.onmessage = (event) => { last = event.lastEventId; take(JSON.parse(event.data)); };
    source.onerror = () => {
      state(false);
      // A refusal ends the stream for good: after a restart of the box the login has ended too.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
    };
  }
  // A browser has few connections for one box: pages that nobody sees must not hold them.
  document.addEventListener('visibilitychange', () => {
    if (source) source.close();
    source = null;
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}
function duration(seconds) {
  const n = Math.max(0, Math.floor(seconds));
  const two = (a, u, b, v) => a + ' ' + u + (b ? ' ' + b + ' ' + v : '');
  if (n >= 86400) return two(Math.floor(n / 86400), 'd', Math.floor(n % 86400 / 3600), 'h');
  if (n >= 3600) return two(Math.floor(n / 3600), 'h', Math.floor(n % 3600 / 60), 'min');
  return n >= 60 ? Math.floor(n / 60) + ' min' : n + ' s';
}
let ahead = 0;  // how far the box's clock is ahead of ours, in seconds
function ages() {
  for (const item of document.querySelectorAll('[data-since]'))
    item.textContent = duration(Date.now() / 1000 + ahead - Number(item.dataset.since));
}
function place(parts) {
  if (parts.time) ahead = parts.time - Date.now() / 1000;
  for (const [id, html] of Object.entries(parts.html || {})) {
    const target = document.getElementById(id);
    if (target) target.innerHTML = html;
  }
  ages();
}
const main = document.querySelector('[data-live]');
if (main) watch(() => main.dataset.live, place);
const log = document.getElementById('log');
if (log) {
  log.scrollTop = log.scrollHeight;
  watch((last) => log.dataset.log + '?after=' + (last || log.dataset.after), (parts) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.insertAdjacentHTML('beforeend', parts.lines.join(''));
    while (log.children.length > 2000) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
}
setInterval(ages, 1000);
"""

SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" fill="none">
<rect x="2" y="2" width="44" height="44" rx="11" fill="#1f6b3a"/>
<path d="M33 14c-3-4-16-5-17 2-1 8 17 5 17 13 0 8-14 8-18 3" stroke="#fff" stroke-width="4.5" stroke-linecap="round"/>
<circle cx="33" cy="14" r="3.6" fill="#fff"/><circle cx="33.8" cy="13.2" r="1.2" fill="#1f6b3a"/>
</svg>
"""
