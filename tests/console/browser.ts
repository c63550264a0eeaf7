/**
 * A real Chromium on the console's page. Everything the page complains about is kept: a console that
 * throws is broken, however good it looks.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

export async function openBrowser(
  executablePath: string = process.env.HOLDFAST_CHROMIUM ?? '/usr/bin/chromium',
): Promise<Browser> {
  if (!existsSync(executablePath)) {
    throw new Error(
      `there is no Chromium at ${executablePath}: run "apt-get install -y chromium", or name one with HOLDFAST_CHROMIUM`,
    )
  }
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface OpenPage {
  readonly page: Page
  /** What the page complained about. */
  readonly complaints: readonly string[]
  /** How often it was loaded. */
  loads(): number
}

export async function openPage(
  browser: Browser,
  url: string,
  look: { readonly colorScheme?: 'light' | 'dark'; readonly width?: number; height?: number } = {},
): Promise<OpenPage> {
  const { colorScheme = 'light', width = 1_280, height = 900 } = look
  const page = await browser.newPage({ colorScheme, viewport: { width, height } })
  const complaints: string[] = []
  let loads = 0
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`))
  page.on('load', () => {
    loads += 1
  })
  await page.goto(url)
  return { page, complaints, loads: () => loads }
}
