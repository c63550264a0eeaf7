/**
 * The picture of a run as one page that needs no server and no other file: time runs down, each process
 * has a lane, messages are arrows, faults are bands behind them. It opens on the end of the run, where
 * the violation is; a window of time can be moved and zoomed.
 */
import type { Recording } from './recorder.ts'
import { timelineScript } from './timeline-script.ts'

export function timelinePage(recording: Recording, title: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${style}</style>
<header>
  <h1>${escaped(title)}</h1>
  <p id="facts"></p>
  <nav>
    <button id="earlier">Earlier</button><button id="later">Later</button>
    <button id="in">Zoom in</button><button id="out">Zoom out</button>
    <button id="all">Whole run</button><button id="end">The end</button>
    <label>From <input id="from" type="number" step="any"> ms</label>
    <label>to <input id="until" type="number" step="any"> ms</label>
  </nav>
  <ul class="legend">
    <li><i class="sign start"></i>start</li><li><i class="sign death"></i>kill or power cut</li>
    <li><i class="sign pause"></i>pause</li><li><i class="sign durable"></i>made durable</li>
    <li><i class="line"></i>message</li><li><i class="line never"></i>never came</li>
    <li><i class="sign call"></i>call to answer</li><li><i class="sign fault"></i>fault</li>
    ${recording.roles.length === 0 ? '' : '<li><i class="sign term"></i>a colour for each term, wide: the leader</li>'}<li><i class="sign violation"></i>violation</li>
  </ul>
</header>
<main><svg id="picture" role="img" aria-label="Space-time diagram of the run"></svg></main>
<p id="told" role="status">Point at something to read about it. Wheel: move. Ctrl and wheel: zoom.</p>
<script type="application/json" id="recording">${embedded(recording)}</script>
<script>${timelineScript}</script>
</html>
`
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}

/** JSON that cannot end its own script element. */
function embedded(recording: Recording): string {
  return JSON.stringify(recording).replace(/</g, '\\u003c')
}

const style = `
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fdfdfb; --faint: #c9d1d8; --soft: #6a7783;
  --arrow: #2f6db3; --never: #b5651d; --fault: #e2a33b; --death: #b3261e; --good: #2e7d4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --paper: #14191e; --faint: #37424c;
  --soft: #93a1ad; --arrow: #7fb2ea; --never: #e0995a; --fault: #a8771f; --death: #f2867d; --good: #77c796; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.4 system-ui, sans-serif; }
header { padding: 12px 20px 4px; }
h1 { font-size: 17px; margin: 0 0 2px; overflow-wrap: anywhere; }
#facts { margin: 0 0 8px; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
button, input { font: inherit; color: inherit; background: transparent; border: 1px solid var(--faint);
  border-radius: 5px; padding: 2px 9px; }
input { width: 9.5em; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 0; margin: 10px 0 2px;
  color: var(--soft); font-size: 12.5px; }
.sign { display: inline-block; width: 10px; height: 10px; margin-right: 5px; border-radius: 50%; }
i.start { border: 2px solid var(--good); } i.death, i.violation { background: var(--death); }
i.violation { border-radius: 0; transform: rotate(45deg); } i.durable { background: var(--good);
  border-radius: 0; width: 7px; height: 7px; } i.pause { background: var(--soft); border-radius: 0; width: 5px; }
i.call { background: var(--arrow); border-radius: 0; width: 5px; }
i.term { background: linear-gradient(90deg, #c33, #3a3, #33c); opacity: .6; border-radius: 2px; }
i.fault { background: var(--fault); opacity: .5; border-radius: 2px; }
.line { display: inline-block; width: 22px; border-top: 2px solid var(--arrow); margin: 0 5px 4px 0; }
.line.never { border-top: 2px dashed var(--never); }
main { overflow-x: auto; padding: 0 12px; }
svg { display: block; touch-action: none; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .soft { fill: var(--soft); } svg .lane { stroke: var(--faint); stroke-width: 2; }
svg .alive { stroke: var(--soft); stroke-width: 2; } svg .tick { stroke: var(--faint); stroke-dasharray: 1 4; }
svg .arrow { stroke: var(--arrow); stroke-width: 1.4; } svg .head { fill: var(--arrow); }
svg .gone { stroke: var(--never); stroke-dasharray: 5 4; } svg .x { stroke: var(--never); stroke-width: 2; }
svg .band { fill: var(--fault); opacity: .16; } svg .bandedge { stroke: var(--fault); stroke-width: 3; }
svg .paused { stroke: var(--soft); stroke-width: 7; opacity: .45; }
svg .birth { fill: var(--paper); stroke: var(--good); stroke-width: 2.2; }
svg .death { stroke: var(--death); stroke-width: 2.6; } svg .durable { fill: var(--good); }
svg .note { fill: var(--soft); } svg .healed { stroke: var(--good); stroke-dasharray: 8 4; }
svg .role { opacity: .3; } svg .role.leader { opacity: .55; }
svg .violation { fill: var(--death); } svg .violationline { stroke: var(--death); stroke-width: 1.5; }
svg text.violation { font-weight: 600; }
svg .operation { fill: var(--arrow); opacity: .45; } svg .operation.open { fill-opacity: .35; }
svg .operation.blamed { fill: var(--death); opacity: .9; }
#told { position: sticky; bottom: 0; margin: 0; padding: 8px 20px; background: var(--paper);
  border-top: 1px solid var(--faint); min-height: 38px; overflow-wrap: anywhere; }
`
