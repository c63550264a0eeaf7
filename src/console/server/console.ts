/**
 * The console's server side: the page, and a stream of views that keeps it live (server-sent events).
 * The view is taken only while somebody looks, once for all lookers.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConsoleView } from './view.ts'

export interface Console {
  /** Answers if the request is the console's own. @returns whether it was. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
  /** Something changed: send a view soon instead of at the next beat. */
  refresh(): void
  close(): void
}

export interface ConsoleOptions {
  /** Takes a view. A failure shows nothing new until the next beat. */
  view(): Promise<ConsoleView>
  /** Between two views. Default 500. */
  readonly beatMs?: number
}

/** More lookers than this are refused with 503: each holds a connection. */
const lookersMax = 50

const assets: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/console/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/console/page.css': ['page.css', 'text/css; charset=utf-8'],
}
const assetFolder = fileURLToPath(new URL('../page/', import.meta.url))

export function consoleOf({ view, beatMs = 500 }: ConsoleOptions): Console {
  const lookers = new Set<ServerResponse>()
  let timer: NodeJS.Timeout | undefined
  let busy = false

  async function beat(): Promise<void> {
    if (busy || lookers.size === 0) return
    busy = true
    const text = await view().then(JSON.stringify, () => undefined)
    busy = false
    if (text !== undefined) {
      // A looker that does not read is skipped: views replace each other, none is worth a queue.
      for (const looker of lookers) if (!looker.writableNeedDrain) looker.write(`data: ${text}\n\n`)
    }
  }

  function look(response: ServerResponse): void {
    if (lookers.size >= lookersMax) {
      response.writeHead(503, { 'retry-after': '5' }).end()
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 500\n\n')
    lookers.add(response)
    timer ??= setInterval(() => void beat(), beatMs)
    void beat()
    response.on('close', () => {
      lookers.delete(response)
      if (lookers.size > 0) return
      clearInterval(timer)
      timer = undefined
    })
  }

  return {
    refresh: () => void beat(),
    answer(request, response) {
      const path = (request.url ?? '/').split('?')[0] ?? '/'
      if (request.method !== 'GET') return false
      if (path === '/api/console/stream') {
        look(response)
        return true
      }
      const asset = assets[path]
      if (asset === undefined) return false
      void sendAsset(response, ...asset)
      return true
    },
    close() {
      clearInterval(timer)
      for (const looker of lookers) looker.end()
    },
  }
}

async function sendAsset(response: ServerResponse, file: string, type: string): Promise<void> {
  const bytes = await readFile(join(assetFolder, file)).catch(() => undefined)
  if (bytes === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('the console was not built\n')
    return
  }
  const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
  response.writeHead(200, {
    'content-type': type,
    'cache-control': 'no-cache',
    'content-security-policy': policy,
  })
  response.end(bytes)
}
