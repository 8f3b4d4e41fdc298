"""The page that shows what is watched: one file, which fetches nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLE = """
:root { color-scheme: dark }
body { background: #18191d; color: #eeeef0; font: 15px/1.4 system-ui, sans-serif; margin: 1rem }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)) }
figure { margin: 0; background: #222429; border-radius: .4rem; overflow: hidden }
img { display: block; width: 100%; min-height: 8rem; max-height: 60vh; object-fit: contain; background: #000 }
figcaption { padding: .5rem .8rem; overflow-wrap: anywhere }
.state { color: #a0a2a8 } .state.failed, .state.lost { color: #ff8a65 }
h1 { font-size: 1.1rem } h2 { font-size: 1rem; margin: 1.2rem 0 .4rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .15rem .8rem .15rem 0; overflow-wrap: anywhere; vertical-align: top }
th { color: #a0a2a8; font-weight: normal }
"""

SCRIPT = """
const fixed = (value, digits) => value === null || value === undefined ? '-' : value.toFixed(digits);
const text = (id, value) => { document.getElementById(id).textContent = value; };
async function json(path) { return (await fetch(path, {cache: 'no-store'})).json(); }
function said(s) {
  const track = e => e.track === undefined || e.track === null ? '' : ' (' + e.track + ')';
  const open = s.open.map(e => e.label + track(e));
  if (open.length) return open.join(', ');
  return s.label === null ? 'nothing yet' : 'likeliest: ' + s.label + ' ' + fixed(s.probability, 2);
}
function state(s) {
  const age = s.age_seconds === null ? '' : ', ' + fixed(s.age_seconds, 2) + ' s old';
  const at = s.seconds === null ? '' : ', at ' + fixed(s.seconds, 1) + ' s' + age;
  return s.status + at + ', ' + s.dropped_frames + ' dropped'
    + (s.status === 'opened' ? '' : ': ' + s.detail);
}
function row(event) {
  const line = document.createElement('tr');
  const when = (event.end_utc || event.start_utc || event.utc || '').slice(11, 19);
  const sure = event.probability === undefined ? '' : ' ' + fixed(event.probability, 2);
  const what = [event.label && event.label + sure, event.detail, event.file].filter(Boolean).join(': ');
  for (const value of [when, event.event, event.source || event.surface || '', what]) {
    line.appendChild(document.createElement('td')).textContent = value;
  }
  return line;
}
async function look() {
  try {
    for (const s of await json('sources')) {
      text('said' + s.number, said(s));
      text('state' + s.number, state(s));
      document.getElementById('state' + s.number).className = 'state ' + s.status;
    }
    const events = (await json('events')).filter(e => e.event !== 'heartbeat').reverse().slice(0, 30);
    document.getElementById('events').replaceChildren(...events.map(row));
    text('trouble', '');
  } catch (error) {
    text('trouble', 'vidlstm has ended, or cannot be reached');
  }
  setTimeout(look, 1000);
}
function follow(image) {
  const path = 'sources/' + image.dataset.number + '.jpg?';
  const next = wait => setTimeout(() => { image.src = path + Date.now(); }, wait);
  image.onload = () => next(100);
  image.onerror = () => next(1000);
  next(0);
}
document.querySelectorAll('img').forEach(follow);
look();
"""


def page(names: Sequence[str], nonce: str) -> str:
    """The HTML.

    Args:
        names: of the sources.
        nonce: lets the browser take this script and style, and no other.
    """
    figures = "\n".join(
        f'<figure><img data-number="{number}" alt="the last frame of {escape(name)}">'
        f'<figcaption><b id="said{number}">nothing yet</b><br>{escape(name)}<br>'
        f'<span class="state" id="state{number}">waiting</span></figcaption></figure>'
        for number, name in enumerate(names)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>vidlstm watch</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<style nonce="{nonce}">{STYLE}</style></head><body><h1>vidlstm watch</h1>'
        f'<p id="trouble" role="status"></p><main>{figures}</main><h2>Latest events</h2>'
        "<table><thead><tr><th>UTC</th><th>Event</th><th>Source</th><th>What</th></tr></thead>"
        f'<tbody id="events"></tbody></table><script nonce="{nonce}">{SCRIPT}</script></body></html>\n'
    )
