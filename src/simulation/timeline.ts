/**
 * A run drawn in space and time: as text for a terminal, as a page for a browser.
 */
import type { Recording } from './recorder.ts'
import { timelinePage } from './timeline-page.ts'
import { timelineText } from './timeline-text.ts'
import type { Timeline } from './world.ts'

const linesShown = 40

export function timelineOf(recording: Recording, title: string): Timeline {
  return {
    text: (lines = linesShown) => timelineText(recording, title, lines),
    html: () => timelinePage(recording, title),
  }
}
