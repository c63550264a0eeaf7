/**
 * The console beside a shop whose leases and registry are in a cluster: its members are seen, and the leader
 * can be killed from the page.
 */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningShop, shops, until } from '../shop/running-shop.ts'
import { openBrowser, openPage } from './browser.ts'

const house = shops()
let shop: RunningShop
let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
  const flags = ['--leases', 'cluster', '--registry', 'cluster']
  const instances = ['--instances', 'order=1,inventory=1']
  shop = await house.startShop({ flags: [...flags, ...instances] })
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await house.close()
}, 60_000)

it('shows who leads, how far behind the others are, and the next leader after a kill', async () => {
  const { page, complaints, loads } = await openPage(browser, shop.url)
  const panel = page.locator('section[aria-labelledby="cluster"]')
  await page.locator('[data-member][data-role="leader"]').waitFor()
  const rows = panel.locator('[data-member]')
  expect(
    await rows.evaluateAll((all) => all.map((row) => row.getAttribute('data-member'))),
  ).toEqual(['cluster-1', 'cluster-2', 'cluster-3'])
  const leader = (await panel.getAttribute('data-leader')) ?? ''
  const term = Number(await panel.getAttribute('data-term'))
  expect(await panel.getByRole('heading').textContent()).toContain(`${leader} leads · term ${term}`)
  for (const bar of await rows.getByRole('img').all()) {
    expect(await bar.getAttribute('aria-label')).toMatch(/^cluster-\d: \d+ entries behind$/)
  }

  await page.getByRole('button', { name: `kill ${leader}` }).click()
  await until('the next leader', async () => {
    const now = Number(await panel.getAttribute('data-term'))
    const next = await panel.getAttribute('data-leader')
    return now > term && next !== '' ? next : undefined
  })
  // The one that was killed comes back and follows, or is elected again.
  const old = panel.locator(`[data-member="${leader}"]`)
  await until('it to catch up', async () => {
    const role = await old.getAttribute('data-role')
    const lag = await old.getAttribute('data-lag')
    return role !== 'silent' && lag !== '' && Number(lag) < 100 ? true : undefined
  })
  await shop.untilEnded(await shop.order('after-the-kill'))
  expect(complaints).toEqual([])
  expect(loads()).toBe(1)
  await page.close()
})

it('a member that does not answer is shown as silent, and how far it was', async () => {
  const { page, complaints } = await openPage(browser, shop.url, { width: 400, height: 800 })
  const panel = page.locator('section[aria-labelledby="cluster"]')
  await page.locator('[data-member][data-role="follower"]').first().waitFor()
  const follower = panel.locator('[data-role="follower"]').first()
  const name = (await follower.getAttribute('data-member')) ?? ''
  await shop.post(`/api/processes/${name}/kill`, { signal: 'SIGSTOP' })
  await panel.locator(`[data-member="${name}"][data-role="silent"]`).waitFor()
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  expect(width, 'fits a telephone').toBe(400)
  await shop.post(`/api/processes/${name}/kill`, { signal: 'SIGCONT' })
  await panel.locator(`[data-member="${name}"]:not([data-role="silent"])`).waitFor()
  expect(complaints).toEqual([])
  await page.close()
})
