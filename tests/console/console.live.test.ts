/**
 * The console in a real browser, beside a real shop. Nothing here reloads the page: what happens in the
 * processes must appear by itself.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { projectFolder, type RunningShop, shops, until } from '../shop/running-shop.ts'
import { type OpenPage, openBrowser, openPage } from './browser.ts'

const house = shops()
let shop: RunningShop
let browser: Browser
const opened: OpenPage[] = []

beforeAll(async () => {
  browser = await openBrowser()
  shop = await house.startShop()
}, 120_000)
afterEach(async () => {
  for (const { page } of opened.splice(0)) await page.close()
})
afterAll(async () => {
  await browser?.close()
  await house.close()
}, 60_000)

async function look(options: Parameters<typeof openPage>[2] = {}): Promise<OpenPage> {
  const open = await openPage(browser, shop.url, options)
  opened.push(open)
  await open.page.waitForSelector('[data-instance]')
  return open
}

/** It never reloaded and has nothing to complain about. */
function healthy({ complaints, loads }: OpenPage): void {
  expect(complaints).toEqual([])
  expect(loads()).toBe(1)
}

it('without a browser the tests fail, and say how to get one', async () => {
  await expect(openBrowser('/nowhere/chromium')).rejects.toThrow(/apt-get install -y chromium/)
})

describe('what it shows', () => {
  it('lists every process with its pid and state', async () => {
    const open = await look()
    const listed = await shop.processes()
    for (const { instance, pid } of listed) {
      const row = open.page.locator(`[data-instance="${instance}"]`)
      await row.and(open.page.locator('[data-state="ready"]')).waitFor()
      await row.locator(`[data-pid="${pid}"]`).waitFor()
    }
    expect(await open.page.locator('[data-instance]').count()).toBe(listed.length)
    await open.page.locator('[role="status"]', { hasText: 'live' }).waitFor()
    healthy(open)
  })

  it('an order placed over HTTP appears as a saga, and its steps as a line in time', async () => {
    const open = await look()
    const orderId = await shop.order('seen', [{ sku: 'sku-010', quantity: 2 }], 'u10')
    const row = open.page.locator(`[data-saga="${orderId}"]`)
    await row.waitFor()
    await shop.untilEnded(orderId)
    await row.and(open.page.locator('[data-status="completed"]')).waitFor()
    const bars = row.locator('svg rect.step-done')
    expect(await bars.count()).toBe(7)
    expect(await bars.first().locator('title').textContent()).toMatch(/^open: done, \d/)
    expect(await row.getByRole('img').getAttribute('aria-label')).toMatch(/confirm done/)
    healthy(open)
  })

  it('a rejected order shows what was undone', async () => {
    const open = await look()
    const orderId = await shop.order('undone', [{ sku: 'sku-011', quantity: 1 }], 'nobody')
    expect(await shop.untilEnded(orderId)).toMatchObject({ status: 'rejected' })
    const row = open.page.locator(`[data-saga="${orderId}"][data-status="compensated"]`)
    await row.waitFor()
    const undone = await row.locator('rect.step-undone title').allTextContents()
    expect(undone.map((title) => title.split(':')[0])).toEqual(
      expect.arrayContaining(['open', 'reserve']),
    )
    healthy(open)
  })

  it('the depth of the queue, live', async () => {
    const open = await look()
    const orders = ['order-1', 'order-2']
    const signal = (name: string) =>
      Promise.all(orders.map((each) => shop.post(`/api/processes/${each}/kill`, { signal: name })))
    await signal('SIGSTOP')
    const placed = await Promise.all(
      Array.from({ length: 12 }, (_, index) => shop.order(`deep-${index}`)),
    )
    const queue = open.page.locator('[data-queue="orders"]')
    const depth = async () => Number(await queue.getAttribute('data-depth'))
    await until('the queue to be deep', async () => ((await depth()) >= 12 ? true : undefined))
    expect(await queue.getByRole('img').getAttribute('aria-label')).toMatch(/ready \d/)
    await signal('SIGCONT')
    for (const orderId of placed) await shop.untilEnded(orderId)
    await until('the queue to be empty', async () => ((await depth()) === 0 ? true : undefined))
    healthy(open)
  })

  it("the watchman's lock, with its token and its deadline", async () => {
    const open = await look()
    const row = open.page.locator('[data-lock$="order-watchman"]')
    await row.waitFor()
    expect(Number(await row.getAttribute('data-token'))).toBeGreaterThan(0)
    expect(await row.textContent()).toMatch(/order-[12]/)
    expect(await row.locator('.duration').textContent()).toMatch(/^\d+(\.\d)? m?s$/)
    healthy(open)
  })

  it('the invariants, green', async () => {
    const open = await look()
    for (const name of ['money-conserved', 'nothing-oversold', 'every-accepted-order-ends']) {
      await open.page.locator(`[data-invariant="${name}"][data-ok="true"]`).waitFor()
    }
    healthy(open)
  })
})

describe('what it does', () => {
  it('the kill button kills: one restart more, a new pid, no reload', async () => {
    const open = await look()
    const row = open.page.locator('[data-instance="inventory-2"]')
    const before = (await shop.processes()).find(({ instance }) => instance === 'inventory-2')
    await open.page.getByRole('button', { name: 'kill inventory-2' }).click()
    await row.locator(`[data-restarts="${(before?.restarts ?? 0) + 1}"]`).waitFor()
    await row.and(open.page.locator('[data-state="ready"]')).waitFor()
    const after = (await shop.processes()).find(({ instance }) => instance === 'inventory-2')
    expect(after?.pid).not.toBe(before?.pid)
    await row.locator(`[data-pid="${after?.pid}"]`).waitFor()
    healthy(open)
  })

  it('pause stops a process and resume lets it go on, for everyone who looks', async () => {
    const [open, other] = [await look(), await look()]
    const paused = '[data-instance="payment-1"][data-state="paused"]'
    await open.page.getByRole('button', { name: 'pause payment-1' }).click()
    await open.page.locator(paused).waitFor()
    await other.page.locator(paused).waitFor()
    const orderId = await shop.order('while-paused')
    const stuck = `[data-saga="${orderId}"]`
    await open.page.locator(stuck, { hasText: 'running authorize' }).waitFor()
    await other.page.getByRole('button', { name: 'resume payment-1' }).click()
    await open.page.locator('[data-instance="payment-1"][data-state="ready"]').waitFor()
    await open.page.locator(`${stuck}[data-status="completed"]`).waitFor()
    healthy(open)
    healthy(other)
  })

  it('the gateway dies: the page goes on, and the invariants stay as last seen', async () => {
    const open = await look()
    await open.page.locator('[data-invariant="money-conserved"]').waitFor()
    await open.page.getByRole('button', { name: 'kill gateway-1' }).click()
    await open.page.locator('[data-instance="gateway-1"]:not([data-state="ready"])').waitFor()
    expect(await open.page.locator('[data-invariant="money-conserved"]').count()).toBe(1)
    await open.page.locator('[data-instance="gateway-1"][data-state="ready"]').waitFor()
    healthy(open)
  })
})

describe('how it looks', () => {
  const ground = (open: OpenPage) =>
    open.page.evaluate(() => getComputedStyle(document.body).backgroundColor)

  it('light and dark, by the system and by the button', async () => {
    const light = await look({ colorScheme: 'light' })
    const dark = await look({ colorScheme: 'dark' })
    const [bright, dim] = [await ground(light), await ground(dark)]
    expect(bright).not.toBe(dim)
    await light.page.getByRole('button', { name: /light and dark/ }).click()
    expect(await ground(light)).toBe(dim)
    healthy(light)
    healthy(dark)
  })

  it('fits a telephone: nothing is wider than 400 pixels', async () => {
    const open = await look({ width: 400, height: 800 })
    await shop.order('on-the-phone')
    await open.page.waitForSelector('[data-saga]')
    const widths = await open.page.evaluate(() => ({
      page: document.documentElement.scrollWidth,
      cut: [...document.querySelectorAll('section')]
        .filter((section) => section.scrollWidth > section.clientWidth)
        .map((section) => section.getAttribute('aria-labelledby')),
    }))
    expect(widths).toEqual({ page: 400, cut: [] })
    healthy(open)
  })

  it('every button, table and picture has a name for those who do not see', async () => {
    const open = await look()
    await open.page.waitForSelector('[data-lock]')
    for (const role of ['button', 'table', 'img'] as const) {
      for (const element of await open.page.getByRole(role).all()) {
        const named = await element.evaluate((node) => {
          const by = node.getAttribute('aria-labelledby')
          const label = by === null ? null : document.getElementById(by)?.textContent
          return (node.getAttribute('aria-label') ?? label ?? node.textContent ?? '').trim()
        })
        expect(named, `${role}: ${await element.innerHTML()}`).not.toBe('')
      }
    }
    healthy(open)
  })
})

/** `HOLDFAST_SCREENSHOTS=1`: the pictures of the README, from a fresh shop at work. */
it.runIf(process.env.HOLDFAST_SCREENSHOTS === '1')(
  'takes its picture',
  async () => {
    const own = shops()
    try {
      const fresh = await own.startShop()
      let open = true
      let next = 0
      const orders: Promise<unknown>[] = []
      const send = (): void => {
        const index = next++
        const items = [{ sku: `sku-0${10 + (index % 80)}`, quantity: 1 + (index % 2) }]
        orders.push(fresh.order(`picture-${index}`, items, `u${1 + (index % 100)}`))
        if (open) setTimeout(send, 50)
      }
      send()
      const folder = join(projectFolder, 'docs/images')
      mkdirSync(folder, { recursive: true })
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await openPage(browser, fresh.url, { colorScheme })
        await page.waitForSelector('[data-invariant]')
        await page.waitForSelector('[data-status="forward"] rect.step-running')
        await page.waitForSelector('[data-status="completed"]')
        await page.screenshot({ path: join(folder, `console-${colorScheme}.png`) })
        await page.close()
      }
      open = false
      await Promise.all(orders)
    } finally {
      await own.close()
    }
  },
  120_000,
)
